package webguard

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"os"
)

// TokenVariable is the environment variable with a token that somebody has to
// know beforehand.
const TokenVariable = "TCPLAB_TOKEN"

// minToken is the shortest token that is taken from TokenVariable.
const minToken = 16

// secret is what a request has to know. The zero value is no secret: nothing
// equals it.
type secret string

// is compares in a time that says nothing about the secret.
func (s secret) is(text string) bool {
	got, want := sha256.Sum256([]byte(text)), sha256.Sum256([]byte(s))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && s != ""
}

// makeToken is the token that was given, or a new one.
func makeToken() (secret, error) {
	token := os.Getenv(TokenVariable)
	if token == "" {
		return secret(rand.Text()), nil
	}
	if len(token) < minToken {
		return "", fmt.Errorf("the token in %s has %d characters: give at least %d, or none and have one made", TokenVariable, len(token), minToken)
	}
	for _, c := range []byte(token) {
		if c <= ' ' || c >= 0x7f {
			return "", fmt.Errorf("the token in %s has characters that a header cannot carry: use letters and digits", TokenVariable)
		}
	}
	return secret(token), nil
}
