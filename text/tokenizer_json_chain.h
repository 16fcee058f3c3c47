// The links of tokenizer.json around the model: normalizer, pre-tokenizer, post-processor.
#pragma once
#include <vector>

#include "tensor/json.h"
#include "text/byte_bpe.h"
#include "text/normalizer.h"
#include "text/template.h"
#include "text/unigram.h"
#include "text/vocabulary.h"

namespace ink {

Normalizer read_normalizer(const Json& file);
Json write_normalizer(const Normalizer& normalizer);

// Raise Error where the pre-tokenizer is not the model's.
void check_bert_pre_tokenizer(const Json& file);
UnigramOptions read_metaspace(const Json& file);
ByteBpeOptions read_byte_level(const Json& file);

// Ids of added tokens are checked against [0, vocabulary_size).
Template read_post_processor(const Json& file, int64_t vocabulary_size);
Json write_post_processor(const Template& frame, const Vocabulary& vocabulary);

}  // namespace ink
