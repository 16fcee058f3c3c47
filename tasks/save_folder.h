// Saving a model with the tokenizer of another folder, so that every program can read it.
//
//   save_folder(model, "out", "hfl/…");   // config.json, weights, tokenizer.json, vocab.txt …
#pragma once
#include <filesystem>
#include <functional>
#include <string>

#include "nn/model_folder.h"

namespace ink {

// save_model, which copies the tokenizer's files, and complete_tokenizer. `notice` is told why a
// tokenizer that cannot be read stays as it was copied.
void save_folder(const Model& model, const std::filesystem::path& folder,
                 const std::filesystem::path& tokenizer_from, Dtype dtype = Dtype::f32,
                 const Notice& notice = {});

// Writes those files of a tokenizer that the folder lacks: tokenizer.json, and what programs from
// before it read (text/tokenizer.h). Files that are there stay as they are; a folder without any
// stays so.
void complete_tokenizer(const std::filesystem::path& folder);

}  // namespace ink
