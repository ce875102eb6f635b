package signature

import (
	"encoding/base64"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const password = "correct horse"

// run runs the real minisign; input is what a person would type.
func run(t *testing.T, input string, args ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "minisign", args...)
	command.Stdin = strings.NewReader(input)
	output, err := command.CombinedOutput()
	require.NotErrorIs(t, err, exec.ErrNotFound, "run make setup")
	return string(output), err
}

// newKey makes a key pair with the real minisign.
func newKey(t *testing.T, password string) (secret, public string) {
	t.Helper()
	dir := t.TempDir()
	secret, public = filepath.Join(dir, "key"), filepath.Join(dir, "key.pub")
	args := []string{"-G", "-s", secret, "-p", public}
	if password == "" {
		args = append(args, "-W")
	}
	output, err := run(t, password+"\n"+password+"\n", args...)
	require.NoError(t, err, output)
	return secret, public
}

func signedFile(t *testing.T, key *Key, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "SHA256SUMS")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	signature := key.Sign("SHA256SUMS", []byte(content), time.Unix(1795300000, 0))
	require.NoError(t, os.WriteFile(path+Suffix, signature, 0o600))
	return path
}

func TestMinisignVerifiesWhatIsSigned(t *testing.T) {
	for name, password := range map[string]string{"a key with a password": password, "a key without": ""} {
		t.Run(name, func(t *testing.T) {
			secret, public := newKey(t, password)
			key, err := ReadKey(secret, password)
			require.NoError(t, err)
			path := signedFile(t, key, "some content\n")

			output, err := run(t, "", "-Vm", path, "-p", public)
			require.NoError(t, err, output)
			assert.Contains(t, output, "Signature and comment signature verified")
			assert.Contains(t, output, "timestamp:1795300000\tfile:SHA256SUMS\thashed")
			output, err = run(t, "", "-Vm", path, "-P", key.PublicKey())
			require.NoError(t, err, output)

			require.NoError(t, os.WriteFile(path, []byte("other content\n"), 0o600))
			output, err = run(t, "", "-Vm", path, "-p", public)
			require.Error(t, err)
			assert.Contains(t, output, "Signature verification failed")
		})
	}
}

func TestAnotherKeyDoesNotVerify(t *testing.T) {
	secret, _ := newKey(t, "")
	_, stranger := newKey(t, "")
	key, err := ReadKey(secret, "")
	require.NoError(t, err)
	_, err = run(t, "", "-Vm", signedFile(t, key, "content"), "-p", stranger)
	assert.Error(t, err)
}

func TestTheSameIsSignedTheSame(t *testing.T) {
	secret, _ := newKey(t, "")
	key, err := ReadKey(secret, "")
	require.NoError(t, err)
	at := time.Unix(1795300000, 0)
	signed := key.Sign("a", []byte("x"), at)
	assert.Equal(t, signed, key.Sign("a", []byte("x"), at), "it is deterministic")
	assert.NotEqual(t, key.Sign("a", []byte("x"), at), key.Sign("a", []byte("y"), at))
}

// quick is a copy of an encrypted key for which deriving the key takes no time. No password
// opens it any more.
func quick(t *testing.T, key string) string {
	t.Helper()
	content, err := os.ReadFile(key)
	require.NoError(t, err)
	comment, text, _ := strings.Cut(string(content), "\n")
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	require.NoError(t, err)
	// Limits of libsodium's scrypt: operations, then memory.
	binary.LittleEndian.PutUint64(raw[38:], 1<<15)
	binary.LittleEndian.PutUint64(raw[46:], 1<<20)
	path := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(path, []byte(comment+"\n"+base64.StdEncoding.EncodeToString(raw)+"\n"), 0o600))
	return path
}

func TestReadKeySaysWhatIsWrong(t *testing.T) {
	encrypted, public := newKey(t, password)
	for name, test := range map[string]struct{ path, password, want string }{
		"missing":        {filepath.Join(t.TempDir(), "none"), password, "no such file"},
		"the public key": {public, password, "it is not a secret key of minisign"},
		"no password":    {encrypted, "", "it is encrypted, and no password is given"},
		"wrong password": {quick(t, encrypted), "wrong " + password, "the password is wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadKey(test.path, test.password)
			require.ErrorContains(t, err, test.want)
			assert.ErrorContains(t, err, test.path)
			assert.NotContains(t, err.Error(), password)
		})
	}
}

// Encrypted keys are left out: opening one takes seconds and a gigabyte by design.
func FuzzParseKey(f *testing.F) {
	f.Add([]byte("untrusted comment: minisign encrypted secret key\nRWQAAEIyAAAA"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, content []byte) {
		private, err := parseKey(content, "")
		if err != nil {
			return
		}
		text, err := private.MarshalText()
		require.NoError(t, err)
		again, err := parseKey(text, "")
		require.NoError(t, err)
		assert.True(t, private.Equal(again))
	})
}
