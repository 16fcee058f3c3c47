// Embeddings of texts: one vector for each text, or one for each of its tokens.
#pragma once
#include <cstdint>
#include <filesystem>

#include "nn/session.h"
#include "tasks/features.h"

namespace ink {

enum class EmbeddingOf : uint8_t {
  mean,    // mean over the tokens of a text
  cls,     // its first token
  tokens,  // every token, special ones included
};
// "mean", "cls" or "tokens"; raises Error otherwise.
EmbeddingOf embedding_of(const std::string& name);

struct Embeddings {
  Tensor vectors;  // (texts, C) f32, or (tokens, C)
  Tensor offsets;  // i64 (texts + 1), the rows of each text; only of tokens
};

// In the order of the texts; computed in batches of like length, which changes no bit. `normalize`
// gives every vector the length 1 (a zero vector stays zero).
Embeddings embed(const Session& session, const Features& texts, EmbeddingOf what,
                 bool normalize = false);

// As safetensors: `embeddings`, and `offsets` where there are any.
void save_embeddings(const Embeddings& embeddings, const std::filesystem::path& path);

}  // namespace ink
