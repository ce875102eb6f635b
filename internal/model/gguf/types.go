package gguf

import "fmt"

const (
	magic = "GGUF"
	// version is the version Write writes. Version 2 has the same layout for little-endian
	// files, so Read accepts it too, as llama.cpp does.
	version          = 3
	oldestVersion    = 2
	defaultAlignment = 32
)

// Metadata keys.
const (
	keyArchitecture = "general.architecture"
	keyName         = "general.name"
	keyType         = "general.type"
	keyChatTemplate = "tokenizer.chat_template"
	keyAlignment    = "general.alignment"
	keyFileType     = "general.file_type"
	// keyPart counts from 0.
	keyPart      = "split.no"
	keyPartCount = "split.count"

	keyTokenizer    = "tokenizer.ggml.model"
	keyPreTokenizer = "tokenizer.ggml.pre"
	keyTokens       = "tokenizer.ggml.tokens"
	keyTokenTypes   = "tokenizer.ggml.token_type"
)

// Metadata keys that follow the name of the architecture and a dot.
const (
	keyContextLength     = "context_length"
	keyEmbeddingLength   = "embedding_length"
	keyBlockCount        = "block_count"
	keyFeedForwardLength = "feed_forward_length"
	keyHeadCount         = "attention.head_count"
	keyHeadCountKV       = "attention.head_count_kv"
	keyKeyLength         = "attention.key_length"
	keyValueLength       = "attention.value_length"
	keyNormEpsilon       = "attention.layer_norm_rms_epsilon"
	keyRopeDimensions    = "rope.dimension_count"
	keyVocabSize         = "vocab_size"
)

// valueType is the type of a metadata value, numbered as in the file.
type valueType uint32

const (
	typeUint8 valueType = iota
	typeInt8
	typeUint16
	typeInt16
	typeUint32
	typeInt32
	typeFloat32
	typeBool
	typeString
	typeArray
	typeUint64
	typeInt64
	typeFloat64
)

// fixedSize returns the size in bytes of a value of fixed size, 0 for the other types and for
// unknown ones.
func (t valueType) fixedSize() uint64 {
	switch t {
	case typeUint8, typeInt8, typeBool:
		return 1
	case typeUint16, typeInt16:
		return 2
	case typeUint32, typeInt32, typeFloat32:
		return 4
	case typeUint64, typeInt64, typeFloat64:
		return 8
	}
	return 0
}

// TensorType is the data type of a tensor, numbered as in the file.
type TensorType uint32

// F32 is the only type Write uses.
const F32 TensorType = 0

// block is the storage unit of a tensor type: how many numbers it holds in how many bytes.
type block struct {
	name            string
	elements, bytes uint64
}

// blocks maps ggml's types to their block sizes, from GGML_QUANT_SIZES in llama.cpp's
// gguf-py/gguf/constants.py. Missing numbers are types that were removed.
var blocks = map[TensorType]block{
	0: {"F32", 1, 4}, 1: {"F16", 1, 2},
	2: {"Q4_0", 32, 18}, 3: {"Q4_1", 32, 20},
	6: {"Q5_0", 32, 22}, 7: {"Q5_1", 32, 24},
	8: {"Q8_0", 32, 34}, 9: {"Q8_1", 32, 40},
	10: {"Q2_K", 256, 84}, 11: {"Q3_K", 256, 110}, 12: {"Q4_K", 256, 144},
	13: {"Q5_K", 256, 176}, 14: {"Q6_K", 256, 210}, 15: {"Q8_K", 256, 292},
	16: {"IQ2_XXS", 256, 66}, 17: {"IQ2_XS", 256, 74}, 18: {"IQ3_XXS", 256, 98},
	19: {"IQ1_S", 256, 50}, 20: {"IQ4_NL", 32, 18}, 21: {"IQ3_S", 256, 110},
	22: {"IQ2_S", 256, 82}, 23: {"IQ4_XS", 256, 136},
	24: {"I8", 1, 1}, 25: {"I16", 1, 2}, 26: {"I32", 1, 4}, 27: {"I64", 1, 8},
	28: {"F64", 1, 8}, 29: {"IQ1_M", 256, 56}, 30: {"BF16", 1, 2},
	34: {"TQ1_0", 256, 54}, 35: {"TQ2_0", 256, 66},
	39: {"MXFP4", 32, 17}, 40: {"NVFP4", 64, 36}, 41: {"Q1_0", 128, 18},
}

// String returns ggml's name of the type.
func (t TensorType) String() string {
	if b, known := blocks[t]; known {
		return b.name
	}
	return fmt.Sprintf("type %d", uint32(t))
}
