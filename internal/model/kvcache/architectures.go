package kvcache

// architecture is what llama.cpp knows of an architecture and its files need not say. One that
// is not listed has the zero value: each layer keeps keys and values of the whole context.
//
// Source: create_memory in llama-model.cpp, llama-arch.cpp and load_arch_hparams in models/*.cpp
// of llama.cpp v0.4.0.
type architecture struct {
	windows   windows
	recurrent recurrence
	// interval is in layers, for files that name none (full_attention_interval).
	interval uint64
	// ownKV is how many layers, from the first, have a cache of their own in every model, 0 if
	// all have; the others use that of one before them.
	ownKV uint64
	// noDraftKV: the layers for drafts (nextn_predict_layers), the last ones, have no cache.
	noDraftKV bool
}

// windows says which layers see only the latest tokens.
type windows struct {
	// size is in tokens, for files that name none (attention.sliding_window); 0 means that these
	// have no windows.
	size uint64
	// fixed takes the place of any size that a file names, except 0.
	fixed uint64
	// period: all but the last layer of each so many have a window, unless a file names another
	// number (attention.sliding_window_pattern). 0 means that it must.
	period uint64
	// denseFirst: all but the first of each period.
	denseFirst bool
	// listed: a file may list the layers with a window. Of other architectures llama.cpp ignores
	// such a list.
	listed bool
	// layers: windows exist only in models with so many layers, 0 if in all.
	layers uint64
}

// recurrence says which layers keep a state in place of keys and values.
type recurrence int

const (
	noLayer recurrence = iota
	everyLayer
	// besidesAttention: each layer has a state, and keys and values too.
	besidesAttention
	// withoutHeads: the layers that have no key and value heads.
	withoutHeads
	// withoutHeadsOrForward: those that have neither such heads nor a feed-forward network.
	withoutHeadsOrForward
	// byInterval: all but the last of each interval of layers, unless the file lists them
	// (attention.recurrent_layers).
	byInterval
)

var architectures = map[string]architecture{
	"afmoe":        {windows: windows{period: 4}},
	"cohere2":      {windows: windows{period: 4}},
	"cohere2moe":   {windows: windows{period: 4, denseFirst: true, listed: true}},
	"exaone-moe":   {windows: windows{size: 128, period: 4}},
	"exaone4":      {windows: windows{size: 4096, period: 4, layers: 64}},
	"gemma2":       {windows: windows{size: 4096, period: 2}},
	"gemma3":       {windows: windows{period: 6}},
	"gemma3n":      {windows: windows{period: 5}, ownKV: 20},
	"gemma4":       {windows: windows{listed: true}},
	"gpt-oss":      {windows: windows{period: 2}},
	"granite_swa":  {windows: windows{listed: true}},
	"laguna":       {windows: windows{period: 4, denseFirst: true}},
	"llama4":       {windows: windows{size: 8192, fixed: 8192, period: 4}},
	"mellum":       {windows: windows{period: 4, listed: true}},
	"mimo2":        {windows: windows{listed: true}, noDraftKV: true},
	"muse-glimmer": {windows: windows{period: 4, listed: true}},
	"olmo2":        {windows: windows{period: 4}},
	"plamo3":       {windows: windows{period: 8}},
	"smallthinker": {windows: windows{fixed: 4096, period: 4, denseFirst: true}},
	"step35":       {windows: windows{listed: true}, noDraftKV: true},

	"arwkv7":     {recurrent: everyLayer},
	"mamba":      {recurrent: everyLayer},
	"mamba2":     {recurrent: everyLayer},
	"rwkv6":      {recurrent: everyLayer},
	"rwkv6qwen2": {recurrent: everyLayer},
	"rwkv7":      {recurrent: everyLayer},

	"bailingmoe3":    {recurrent: withoutHeads},
	"falcon-h1":      {recurrent: besidesAttention},
	"granitehybrid":  {recurrent: withoutHeads},
	"jamba":          {recurrent: withoutHeads},
	"kimi-k3":        {recurrent: withoutHeads},
	"kimi-linear":    {recurrent: withoutHeads},
	"lfm2":           {recurrent: withoutHeads},
	"lfm2moe":        {recurrent: withoutHeads},
	"minimax-01":     {recurrent: byInterval, interval: 8, noDraftKV: true},
	"nemotron_h":     {recurrent: withoutHeadsOrForward},
	"nemotron_h_moe": {recurrent: withoutHeadsOrForward},
	"plamo2":         {recurrent: withoutHeads},
	"qwen35":         {recurrent: byInterval, interval: 4, noDraftKV: true},
	"qwen35moe":      {recurrent: byInterval, interval: 4, noDraftKV: true},
	"qwen3next":      {recurrent: byInterval, interval: 4, noDraftKV: true},
	"qwen4exp":       {recurrent: byInterval, interval: 4, noDraftKV: true},

	"deepseek32": {noDraftKV: true},
	"glm-dsa":    {noDraftKV: true},
	"hy_v3":      {noDraftKV: true},
}
