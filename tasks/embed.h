// Embeddings of texts: one vector for each text, or one for each of its tokens.
#pragma once
#include <cstdint>
#include <filesystem>

#include "nn/session.h"
#include "tasks/features.h"

namespace ink {

struct Embeddings {
  Tensor vectors;  // (texts, C) f32, or (tokens, C) with Pooling::tokens
  Tensor offsets;  // i64 (texts + 1), the rows of each text; only of tokens
};

// In the order of the texts; computed in batches of like length, which changes no bit. `normalize`
// gives every vector the length 1 (a zero vector stays zero).
Embeddings embed(const Session& session, const Features& texts, Pooling pooling,
                 bool normalize = false);

// As safetensors: `embeddings`, and `offsets` where there are any.
void save_embeddings(const Embeddings& embeddings, const std::filesystem::path& path);

}  // namespace ink
