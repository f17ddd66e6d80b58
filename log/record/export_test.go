package record

// Compress compresses bytes that need not be records.
func Compress(codec Codec, raw []byte) ([]byte, error) {
	if codec == None {
		return raw, nil
	}
	var c compressor
	return c.append(codec, nil, raw)
}

// Decompress is decompress.
func Decompress(codec Codec, raw []byte, limit int) ([]byte, error) {
	return decompress(codec, raw, limit)
}
