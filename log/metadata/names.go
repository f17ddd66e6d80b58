package metadata

import (
	"encoding/base64"
	"fmt"
	"strings"
	"uuid"
)

// maxTopicName is Kafka's: a directory is called "<name>-<partition>" there.
const maxTopicName = 249

// CheckTopicName applies Kafka's rules: 1 to 249 of [a-zA-Z0-9._-], and neither "." nor "..". The error wraps ErrInvalidTopic.
func CheckTopicName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty", ErrInvalidTopic)
	case name == "." || name == "..":
		return fmt.Errorf("%w: it cannot be %q", ErrInvalidTopic, name)
	case len(name) > maxTopicName:
		return fmt.Errorf("%w: it is %d characters long, %d are allowed", ErrInvalidTopic, len(name), maxTopicName)
	}
	for at := range len(name) {
		if !legalInTopic(name[at]) {
			return fmt.Errorf("%w: %q contains a character other than ASCII alphanumerics, '.', '_' and '-'", ErrInvalidTopic, name)
		}
	}
	return nil
}

func legalInTopic(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}

// collisionKey is equal for names that Kafka calls colliding: metrics write '.' as '_'.
func collisionKey(name string) string { return strings.ReplaceAll(name, ".", "_") }

// newID makes an id whose base64url form does not start with '-', which tools would take for an option (as Kafka does).
func newID() uuid.UUID {
	for {
		id := uuid.NewV4()
		if FormatID(id)[0] != '-' {
			return id
		}
	}
}

// FormatID is Kafka's form of an id: 22 characters of base64url without padding.
func FormatID(id uuid.UUID) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// newClusterID makes a cluster id.
func newClusterID() string { return FormatID(newID()) }
