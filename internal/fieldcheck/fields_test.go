package fieldcheck

import (
	"errors"
	"testing"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func short(value string) error {
	if len(value) > 2 && !IsUnknown(value) {
		return errors.New("must be short")
	}
	if IsUnknown(value) {
		return errors.New("must not be judged")
	}
	return nil
}

func texts(errs []error) []string {
	var all []string
	for _, err := range errs {
		all = append(all, err.Error())
	}
	return all
}

func TestFieldsListEveryMistake(t *testing.T) {
	var f Fields
	f.Check("name", "long", short)
	f.Check("name", "ok", short)
	f.CheckOptional("title", "", Set)
	f.CheckOptional("title", "long", short)
	f.CheckEach("tags", []string{"ok", "long", Unknown, "longer"}, short)
	f.Expect(true, "force", "must be %s", "off")
	f.Expect(false, "force", "must be %s", "off")
	f.Minimum("cpus", 1, 1)
	f.Minimum("cpus", 0, 1)
	f.Between("port", 1, 1, 9)
	f.Between("port", 9, 1, 9)
	f.Between("port", 0, 1, 9)
	f.Between("port", 10, 1, 9)
	f.ExactlyOne("way", "a and b", true, false)
	f.ExactlyOne("way", "a and b", false, false)
	f.ExactlyOne("way", "a and b", true, true)
	f.Add(errors.New("lock: broken"), nil)
	want := []string{
		"name: must be short",
		"title: must be short",
		"tags[1]: must be short",
		"tags[3]: must be short",
		"force: must be off",
		"cpus: must be at least 1, got 0",
		"port: must be a whole number from 1 to 9, got 0",
		"port: must be a whole number from 1 to 9, got 10",
		"way: exactly one of a and b must be given, got 0",
		"way: exactly one of a and b must be given, got 2",
		"lock: broken",
	}
	assert.Equal(t, want, texts(f.Mistakes()))
	var all *packersdk.MultiError
	require.ErrorAs(t, f.Err(), &all)
	assert.Equal(t, want, texts(all.Errors))
}

func TestFieldsWithoutMistakes(t *testing.T) {
	var f Fields
	f.Check("name", "ok", short)
	f.Add(nil)
	assert.Empty(t, f.Mistakes())
	assert.NoError(t, f.Err())
	assert.NoError(t, f.UnknownErr())
}

func TestUnknownFieldsWaitForTheBuild(t *testing.T) {
	var f Fields
	f.Check("name", Unknown, short)
	f.CheckOptional("title", Unknown, short)
	f.CheckEach("tags", []string{"ok", Unknown}, short)
	assert.False(t, f.Known(map[string]string{"b": Unknown, "a": Unknown, "c": ""}))
	assert.True(t, f.Known(map[string]string{"d": "anything"}))
	assert.NoError(t, f.Err())
	assert.EqualError(t, f.UnknownErr(), `name: refers to a value that this build does not have
title: refers to a value that this build does not have
tags[1]: refers to a value that this build does not have
a: refers to a value that this build does not have
b: refers to a value that this build does not have`)
}

func TestDistinct(t *testing.T) {
	var f Fields
	f.Check("wrong", "long", short)
	before := len(f.Mistakes())
	f.Distinct([]string{"a", "b", "empty", "empty too", "unknown", "unknown too", "wrong", "c"}, []string{"x", "long", "", "", Unknown, Unknown, "long", "x"})
	assert.Equal(t, []string{`c: must differ from a, got "x"`}, texts(f.Mistakes()[before:]))
}

func TestSettled(t *testing.T) {
	var f Fields
	f.Check("good", "ok", short)
	f.Check("wrong", "long", short)
	f.Check("unknown", Unknown, short)
	f.Expect(false, "unexpected", "must be otherwise")
	f.CheckOptional("empty", "", short)
	assert.True(t, f.Settled())
	assert.True(t, f.Settled("good", "empty"))
	for _, name := range []string{"wrong", "unknown", "unexpected"} {
		assert.False(t, f.Settled("good", name), name)
	}
}
