// What a run must know of its tokenizer to be resumed: options, and the vocabulary's digest.
#pragma once
#include "tensor/json.h"
#include "text/tokenizer.h"

namespace ink {

// {"vocabulary": "0f…", "lower_case": true, …}: equal for tokenizers that cut and
// number alike (tensor/fingerprint.h).
Json fingerprint_of(const Tokenizer& tokenizer);

}  // namespace ink
