// Checkpoints by name.
#include "nn/model_folder.h"

#include <algorithm>
#include <string_view>

#include "nn/checkpoint.h"
#include "nn/tokenizer_merges.h"
#include "tensor/file.h"
#include "tensor/folder_update.h"

namespace ink {

namespace fs = std::filesystem;

Model load_model(const fs::path& folder, const LoadOptions& options) {
  check(fs::is_directory(folder), "cannot load a model from ", folder.string(),
        ": there is no such folder");
  finish_update(folder);
  ModelConfig config = ModelConfig::read(folder / "config.json");
  if (options.labels) {
    config.labels = *options.labels;
    config.problem_type = options.problem_type;
  }
  Checkpoint checkpoint(folder, config, options);
  Model model(config, checkpoint.heads(),
              [&](const std::string& name, const Shape& shape, const Initial& initial) {
                return checkpoint.value(name, shape, initial);
              });
  checkpoint.finish();
  return model;
}

Model from_pretrained(const std::string& name_or_folder, const LoadOptions& options,
                      const HubOptions& hub) {
  return load_model(resolve_model(name_or_folder, hub), options);
}

namespace {

// Once more under the name of the decoder. Of an untied one transformers 5 reads no other, and 4.44
// has zeros for the bias of RoBERTa and ALBERT where it does not find this one.
void add_decoder_bias(const Model& model, std::vector<NamedTensor>& tensors) {
  const MaskedLmNames& names = model.config.family->masked_lm;
  if (std::string_view(names.bias) != names.decoder)
    tensors.push_back({std::string(names.decoder) + ".bias", model.masked_lm->bias.value});
}

const char* name_in_torch(Dtype dtype) {
  switch (dtype) {
    case Dtype::f32: return "float32";
    case Dtype::f16: return "float16";
    case Dtype::bf16: return "bfloat16";
    default: fail("cannot store weights as ", name_of(dtype), "; expected f32, f16 or bf16");
  }
}

void write_model(const Model& model, const fs::path& folder, Dtype dtype) {
  model.parameters.expect_numbers("save");
  const std::vector<std::string> architectures =
      architectures_of(*model.config.family, model.heads);
  const bool body_alone = architectures.front() == model.config.family->body;
  const size_t prefix = std::string_view(model.config.family->prefix).size() + 1;
  std::vector<NamedTensor> tensors;
  for (const Parameter& p : model.parameters)
    tensors.push_back({body_alone ? p.name.substr(prefix) : p.name, p.value});
  if (model.masked_lm) add_decoder_bias(model, tensors);
  save_weights(folder, tensors, {.dtype = dtype});

  ModelConfig config = model.config;
  config.architectures = architectures;
  Json json = config.to_json();
  json.set(json.has("dtype") ? "dtype" : "torch_dtype", name_in_torch(dtype));
  write_file(folder / "config.json", json.to_string(2) + '\n');
}

// Every name that weights, or with them a tokenizer, may be read from, shards included.
std::vector<std::string> replaced_files(const fs::path& folder, bool tokenizer) {
  std::vector<std::string> names;
  for (const fs::directory_entry& file : fs::directory_iterator(folder)) {
    const std::string name = file.path().filename().string();
    if (is_weight_file(name)) names.push_back(name);
  }
  if (tokenizer) names.insert(names.end(), std::begin(kTokenizerFiles), std::end(kTokenizerFiles));
  return names;
}

}  // namespace

void save_model(const Model& model, const fs::path& folder, const fs::path& vocabulary_from,
                Dtype dtype) {
  FolderUpdate update(folder);
  write_model(model, update.staging(), dtype);
  std::error_code ignored;
  const bool new_tokenizer =
      !vocabulary_from.empty() && !fs::equivalent(vocabulary_from, folder, ignored);
  if (new_tokenizer) copy_vocabulary(vocabulary_from, update.staging());
  update.commit(replaced_files(folder, new_tokenizer));
}

void check_no_model(const char* job, const fs::path& out, bool own_run) {
  if (own_run && fs::exists(out / "training")) return;
  finish_update(out);
  const auto refuse_where = [&](const char* name) {
    check(!fs::exists(out / name), "", job, ": ", out.string(), " holds a model already (", name,
          "); choose another folder, or remove it first");
  };
  refuse_where("config.json");
  std::ranges::for_each(kWeightFiles, refuse_where);
}

bool has_tokenizer(const fs::path& folder) {
  return std::ranges::any_of(kTokenizerFiles,
                             [&](const char* name) { return fs::exists(folder / name); });
}

int copy_vocabulary(const fs::path& from, const fs::path& to) {
  constexpr size_t kLongest = size_t{1} << 30;
  std::error_code ignored;
  if (fs::equivalent(from, to, ignored)) return 0;
  int copied = 0;
  for (const char* name : kTokenizerFiles) {
    if (!fs::exists(from / name)) continue;
    std::string content = read_regular_file(from / name, kLongest);
    if (name == std::string_view("tokenizer.json"))
      content = with_merges_as_lines(std::move(content), (from / name).string());
    write_file(to / name, content);
    ++copied;
  }
  return copied;
}

}  // namespace ink
