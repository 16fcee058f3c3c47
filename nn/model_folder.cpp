// Checkpoints by name.
#include "nn/model_folder.h"

#include <algorithm>
#include <map>
#include <set>

#include "nn/tokenizer_merges.h"
#include "nn/weights.h"
#include "tensor/file.h"
#include "tensor/folder_update.h"

namespace ink {
namespace {

namespace fs = std::filesystem;

// Which tensors of a file are which of a family's, under whatever names they come.
class Names {
 public:
  explicit Names(const Family& family) : prefix_(std::string(family.prefix) + '.') {
    for (const char* buffer : {"embeddings.position_ids", "embeddings.token_type_ids"})
      redundant_.insert(prefix_ + buffer);
    redundant_.insert(std::string(family.masked_lm.decoder) + ".weight");
    redundant_.insert(std::string(family.masked_lm.decoder) + ".bias");
    if (family.pooler) pooler_ = prefix_ + family.pooler + '.';
  }

  // A file of a body alone has no prefix on any name.
  void look_at(std::span<const Weights::Entry> entries) {
    body_alone_ = std::ranges::none_of(
        entries, [&](const auto& entry) { return entry.name.starts_with(prefix_); });
  }

  // The name under which we know a tensor of the file.
  std::string canonical(std::string name) const {
    const auto replace_end = [&](std::string_view old_end, std::string_view new_end) {
      if (name.ends_with(old_end))
        name.replace(name.size() - old_end.size(), old_end.size(), new_end);
    };
    replace_end(".gamma", ".weight");
    replace_end(".beta", ".bias");
    return body_alone_ ? prefix_ + name : name;
  }

  bool is_body(std::string_view name) const {
    return name.starts_with(prefix_) && !is_pooler(name);
  }
  bool is_pooler(std::string_view name) const {
    return !pooler_.empty() && name.starts_with(pooler_);
  }
  // Copies of other tensors and buffers that some versions write.
  bool is_redundant(const std::string& name) const { return redundant_.contains(name); }

 private:
  std::string prefix_, pooler_;
  std::set<std::string> redundant_;
  bool body_alone_ = false;
};

// "a, b, c and 5 more"
std::string listed(const std::vector<std::string>& names) {
  constexpr size_t kShown = 6;
  std::string text;
  for (size_t i = 0; i < std::min(kShown, names.size()); ++i) text += (i ? ", " : "") + names[i];
  if (names.size() > kShown) text += " and " + std::to_string(names.size() - kShown) + " more";
  return text;
}

// Gives parameters their values from a file and keeps account of what did not fit.
class Checkpoint {
 public:
  Checkpoint(const fs::path& folder, const ModelConfig& config, const LoadOptions& options)
      : weights_(Weights::open(folder)),
        names_(*config.family),
        options_(options),
        fresh_(random_values(options.random)) {
    names_.look_at(weights_.entries());
    for (const Weights::Entry& entry : weights_.entries()) {
      const bool added = entries_.emplace(names_.canonical(entry.name), &entry).second;
      check(added, "", weights_.path_of(entry).string(), ": ", entry.name,
            " is there twice, under an old and a new name");
    }
    if (!config.tie_word_embeddings) use_untied_bias(config.family->masked_lm);
  }

  Tensor value(const std::string& name, const Shape& shape, const Initial& initial) {
    const auto found = entries_.find(name);
    if (found == entries_.end()) {
      if (!names_.is_body(name) && options_.new_heads) return fresh_(name, shape, initial);
      missing_.push_back(name);
      return placeholder(shape);
    }
    used_.insert(name);
    const Weights::Entry& entry = *found->second;
    if (entry.shape != shape || !is_float(entry.dtype)) {
      std::ostringstream text;
      text << name << ' ' << entry.shape << " of " << name_of(entry.dtype) << " instead of "
           << shape;
      wrong_.push_back(text.str());
      return placeholder(shape);
    }
    return converted(weights_.tensor(entry), Dtype::f32);
  }

  // Raises Error unless file and model agree.
  void finish() const {
    std::vector<std::string> unexpected;
    for (const auto& [name, entry] : entries_) {
      if (used_.contains(name) || names_.is_redundant(name)) continue;
      if (names_.is_body(name) || !options_.ignore_other_heads) unexpected.push_back(name);
    }
    const auto of_pooler = [&](const std::string& name) { return names_.is_pooler(name); };
    check(missing_.empty() || !options_.heads || !std::ranges::all_of(missing_, of_pooler), "",
          weights_.path().string(), ": this model has no pooler; use mean or cls");
    std::string complaint;
    const auto add = [&](const char* what, const std::vector<std::string>& names) {
      if (!names.empty())
        complaint += (complaint.empty() ? ": " : "; ") + std::string(what) + ' ' + listed(names);
    };
    add("missing", missing_);
    add("unexpected", unexpected);
    add("of the wrong shape or type", wrong_);
    check(complaint.empty(), "", weights_.path().string(), ": the tensors do not fit the model",
          complaint);
  }

 private:
  // The bias of an untied decoder is stored with the decoder (transformers 5), with the head
  // (4), or with both, of which the decoder's counts.
  void use_untied_bias(const MaskedLmNames& names) {
    const auto found = entries_.find(std::string(names.decoder) + ".bias");
    if (found != entries_.end()) entries_[std::string(names.bias) + ".bias"] = found->second;
  }

  // Stands in until finish() reports the error: the right shape without the memory, which a hostile
  // file could ask for.
  static Tensor placeholder(const Shape& shape) {
    Strides none;
    for (int axis = 0; axis < shape.rank(); ++axis) none.append(0);
    return view(zeros({1}), shape, none, 0);
  }

  Weights weights_;
  Names names_;
  const LoadOptions& options_;
  ValueSource fresh_;
  std::map<std::string, const Weights::Entry*> entries_;  // by canonical name
  std::set<std::string> used_;
  std::vector<std::string> missing_, wrong_;
};

}  // namespace

Model load_model(const fs::path& folder, const LoadOptions& options) {
  check(fs::is_directory(folder), "cannot load a model from ", folder.string(),
        ": there is no such folder");
  finish_update(folder);
  ModelConfig config = ModelConfig::read(folder / "config.json");
  if (options.labels) {
    config.labels = *options.labels;
    config.problem_type = options.problem_type;
  }
  const Heads heads =
      options.heads ? *options.heads : heads_from(*config.family, config.architectures);
  Checkpoint checkpoint(folder, config, options);
  Model model(std::move(config), heads,
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
  std::vector<std::string> names(std::begin(kWeightFiles), std::end(kWeightFiles));
  for (const fs::directory_entry& file : fs::directory_iterator(folder)) {
    const std::string name = file.path().filename().string();
    const bool is_shard = name.starts_with("model-") || name.starts_with("pytorch_model-");
    if (is_shard && name.find("-of-") != std::string::npos) names.push_back(name);
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
  for (const char* name : {"config.json", kWeightFiles[0], kWeightFiles[1], kWeightFiles[2]})
    check(!fs::exists(out / name), "", job, ": ", out.string(), " holds a model already (", name,
          "); choose another folder, or remove it first");
}

int copy_vocabulary(const fs::path& from, const fs::path& to) {
  constexpr size_t kLongest = size_t{1} << 30;
  std::error_code ignored;
  if (fs::equivalent(from, to, ignored)) return 0;
  int copied = 0;
  for (const char* name : kTokenizerFiles) {
    if (!fs::exists(from / name)) continue;
    std::string content = read_file(from / name, kLongest);
    if (name == std::string_view("tokenizer.json"))
      content = with_merges_as_lines(std::move(content), (from / name).string());
    write_file(to / name, content);
    ++copied;
  }
  return copied;
}

}  // namespace ink
