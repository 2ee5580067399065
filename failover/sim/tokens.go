package sim

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// mint makes a token that has a JWT's shape and no worth: the ARM face of this
// package takes it, nothing else does.
func mint(resource string, serial int, expires int64) string {
	enc := base64.RawURLEncoding.EncodeToString
	head := enc([]byte(`{"alg":"none","typ":"JWT"}`))
	claims := enc(encode(object("iss", issuer, "aud", resource, "exp", expires, "oid", "00000000-0000-0000-0000-0000000000ff", "jti", fmt.Sprint(serial))))
	return head + "." + claims + "." + enc([]byte("not a signature"))
}

// issuer marks the tokens of this package.
const issuer = "https://identity.invalid/erfailover-sim"

// minted says whether a token came from mint.
func minted(token string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false
	}
	b, err := parseBody(claims(parts[1]))
	return err == nil && b.text("iss") == issuer
}

// claims decodes the middle of a token, nil when it cannot be decoded.
func claims(part string) []byte {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return nil
	}
	return raw
}
