// Model folders as Hugging Face writes them: config.json, weights, vocabulary. Tensors go by name.
//
// Weights are read from any of the files in nn/weights.h, and written to model.safetensors.
// Reading maps the weights: values borrow the file until Parameters::own() or pack(). f16 and bf16
// become f32. Which heads a model gets, and under what names tensors may come, is told in
// nn/checkpoint.h. Tensors of the body that are missing, that nobody asked for, or that have the
// wrong shape are named together in one Error.
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "nn/hub.h"
#include "nn/model.h"

namespace ink {

// Receives sentences worth knowing.
using Notice = std::function<void(const std::string& sentence)>;

struct LoadOptions {
  std::optional<Heads> heads = {};  // instead of those that config.json names and the file holds
  std::optional<std::vector<std::string>> labels = {};  // instead of the folder's, for a new head
  std::string problem_type = {};                        // with labels
  bool new_heads = false;  // initialise pooler and heads that the file lacks, else an Error
  Random random{0};        // for new heads
  // Told of heads that config.json names and the file lacks, of new ones, and of what is left out.
  Notice notice = {};
};

Model load_model(const std::filesystem::path& folder, const LoadOptions& options = {});
// The same of a folder or the name of a model, "hfl/chinese-bert-wwm": from the local cache, or
// else downloaded (nn/hub.h).
Model from_pretrained(const std::string& name_or_folder, const LoadOptions& options = {},
                      const HubOptions& hub = {});

// Writes config.json and model.safetensors; creates the folder. An earlier model in it is replaced
// as a whole (tensor/folder_update.h): all files of its weights go and, with a new vocabulary, all
// of its tokenizer. A body without heads is written without `bert.`, as transformers does.
// Vocabulary files are copied from `vocabulary_from` unless it is empty. Weights are stored as
// `dtype`: f32, f16 or bf16.
void save_model(const Model& model, const std::filesystem::path& folder,
                const std::filesystem::path& vocabulary_from = {}, Dtype dtype = Dtype::f32);

// Raises Error when a job would write its result over a model: `out` holds config.json or weights.
// With `own_run` an earlier run of the job, in out/training, explains them.
void check_no_model(const char* job, const std::filesystem::path& out, bool own_run = false);

// What a tokenizer may be read from (text/tokenizer.h): fetched, copied and replaced with a model.
inline constexpr const char* kTokenizerFiles[] = {"tokenizer_config.json",
                                                  "tokenizer.json",
                                                  "special_tokens_map.json",
                                                  "added_tokens.json",
                                                  "vocab.txt",
                                                  "vocab.json",
                                                  "merges.txt",
                                                  "spiece.model",
                                                  "sentencepiece.bpe.model"};
bool has_tokenizer(const std::filesystem::path& folder);  // any of them
// Copies those that exist; returns how many.
int copy_vocabulary(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace ink
