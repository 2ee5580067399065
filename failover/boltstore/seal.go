package boltstore

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// value is what is stored under a key. Rows have neither ETag nor nonce.
type value struct {
	etag, nonce string
	body        []byte
}

// sealVersion is the first byte of every sealed value.
const sealVersion = 1

// seal returns v in the form
//
//	version(1) etagLen(1) etag nonceLen(1) nonce body crc32c(4, over key and all before)
func seal(key []byte, v value) []byte {
	b := make([]byte, 0, len(v.etag)+len(v.nonce)+len(v.body)+7)
	b = append(b, sealVersion, byte(len(v.etag)))
	b = append(b, v.etag...)
	b = append(b, byte(len(v.nonce)))
	b = append(b, v.nonce...)
	b = append(b, v.body...)
	return binary.BigEndian.AppendUint32(b, checksum(key, b))
}

// unseal reads what seal wrote; the body is a part of b. The error is errSum.
func unseal(key, b []byte) (value, error) {
	bad := func(why string) (value, error) { return value{}, fmt.Errorf("%w: %q: %s", errSum, key, why) }
	if len(b) < 7 {
		return bad("cut short")
	}
	b, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if checksum(key, b) != sum {
		return bad("checksum")
	}
	if b[0] != sealVersion {
		return bad(fmt.Sprintf("value of version %d", b[0]))
	}
	etag, b, ok := word(b[1:])
	if !ok {
		return bad("etag")
	}
	nonce, b, ok := word(b)
	if !ok {
		return bad("nonce")
	}
	return value{etag: etag, nonce: nonce, body: b}, nil
}

// word takes a text with its length before it off the front of b.
func word(b []byte) (string, []byte, bool) {
	if len(b) == 0 || len(b) < 1+int(b[0]) {
		return "", nil, false
	}
	end := 1 + int(b[0])
	return string(b[1:end]), b[end:], true
}

func checksum(key, b []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(key, table), table, b)
}
