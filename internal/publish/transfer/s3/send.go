package s3

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
)

// retries bounds how often the same request is made. Busy stores require pauses of seconds.
var retries = retry.Policy{Failures: 6, Pause: 2 * time.Second, MaxPause: time.Minute}

// Send uploads file and returns a signed URL with which anybody can read it for a day.
func (m *Method) Send(ctx context.Context, file transfer.File, say func(string)) (string, error) {
	if err := m.connect(); err != nil {
		return "", err
	}
	u := &upload{Method: m, file: file, key: m.options.key(file), say: say}
	if err := u.run(ctx); err != nil {
		return "", m.failed(ctx, "upload "+file.Name+" to "+m.options.shown(file), err)
	}
	// Signing needs no request; but the region of the bucket may have to be looked up.
	signed, err := m.core.PresignedGetObject(ctx, m.options.Bucket, u.key, validity, nil)
	if err != nil {
		return "", m.failed(ctx, "sign a URL for "+m.options.shown(file), err)
	}
	return signed.String(), nil
}

// upload is the upload of one file.
type upload struct {
	*Method
	file transfer.File
	key  string
	say  func(string)
}

func (u *upload) run(ctx context.Context) error {
	there, err := u.isThere(ctx)
	if isMissing(err) {
		err = nil
	}
	if err != nil {
		return err
	}
	if there {
		u.note(u.options.shown(u.file) + " is there already")
		return nil
	}
	if err := u.send(ctx); err != nil {
		return err
	}
	// The same keys sign the front-end's URL, so this proves that it can read the object.
	there, err = u.isThere(ctx)
	if err == nil && !there {
		err = errors.New("the object is not what was sent: does another run write to it?")
	}
	return err
}

// isThere reports whether the object has the size and the digest of the file.
func (u *upload) isThere(ctx context.Context) (bool, error) {
	var info minio.ObjectInfo
	err := u.retry(ctx, "looking at the object", func(ctx context.Context) error {
		var err error
		info, err = u.core.StatObject(ctx, u.options.Bucket, u.key, minio.StatObjectOptions{})
		return err
	})
	return err == nil && info.Size == u.file.Size && info.UserMetadata[digestKey] == u.file.SHA256, err
}

// send creates the object, or leaves nothing behind.
func (u *upload) send(ctx context.Context) error {
	u.abandon(ctx)
	var id string
	err := u.retry(ctx, "beginning", func(ctx context.Context) error {
		var err error
		id, err = u.core.NewMultipartUpload(ctx, u.options.Bucket, u.key, minio.PutObjectOptions{
			UserMetadata: map[string]string{digestKey: u.file.SHA256}, ContentType: "application/octet-stream",
		})
		return err
	})
	if err != nil {
		return err
	}
	parts, err := u.parts(ctx, id)
	if err == nil {
		err = u.complete(ctx, id, parts)
	}
	if err != nil {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
		defer cancel()
		if aborted := u.core.AbortMultipartUpload(limited, u.options.Bucket, u.key, id); aborted != nil {
			u.note(fmt.Sprintf("its parts stay in the bucket, at the store's price, until it is deleted: %v", u.options.explain(aborted)))
		}
	}
	return err
}

// abandon aborts uploads of runs that were killed. If the key may not list them, they stay.
func (u *upload) abandon(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_ = u.core.RemoveIncompleteUpload(limited, u.options.Bucket, u.key)
}

// complete assembles the parts into the object. If its response is lost, the retry is told
// that there is no such upload.
func (u *upload) complete(ctx context.Context, id string, parts []minio.CompletePart) error {
	err := u.retry(ctx, "putting the parts together", func(ctx context.Context) error {
		_, err := u.core.CompleteMultipartUpload(ctx, u.options.Bucket, u.key, id, parts, minio.PutObjectOptions{})
		return err
	})
	if minio.ToErrorResponse(err).Code != "NoSuchUpload" {
		return err
	}
	if there, statErr := u.isThere(ctx); statErr == nil && there {
		return nil
	}
	return err
}

// retry repeats a request until it succeeds or fails for good.
func (u *upload) retry(ctx context.Context, what string, call func(context.Context) error) error {
	return u.persist(ctx, what, func(ctx context.Context) error {
		limited, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		return call(limited)
	})
}

func (u *upload) persist(ctx context.Context, what string, call func(context.Context) error) error {
	say := func(failure string) { u.note(what + ": " + failure) }
	return u.retries.Do(ctx, what, say, func(ctx context.Context) error {
		err := call(ctx)
		if err == nil || !isTemporary(err) {
			return err
		}
		return retry.Temporary(u.options.explain(err))
	})
}

func (u *upload) note(text string) { u.say("upload " + u.file.Name + ": " + text) }
