// Names, heads and values of a file of weights.
#include "nn/checkpoint.h"

#include <algorithm>
#include <array>
#include <sstream>

#include "tensor/error.h"

namespace ink {
namespace {

std::string first_step(std::string_view path) {
  return std::string(path.substr(0, path.find('.')));
}

// "a, b, c and 5 more"
std::string listed(const std::vector<std::string>& names) {
  constexpr size_t kShown = 6;
  std::string text;
  for (size_t i = 0; i < std::min(kShown, names.size()); ++i) text += (i ? ", " : "") + names[i];
  if (names.size() > kShown) text += " and " + std::to_string(names.size() - kShown) + " more";
  return text;
}

// Stands in until finish() reports the error: the right shape without the memory, which a hostile
// file could ask for.
Tensor placeholder(const Shape& shape) {
  Strides none;
  for (int axis = 0; axis < shape.rank(); ++axis) none.append(0);
  return view(zeros({1}), shape, none, 0);
}

// A head, and how the names of its own tensors begin.
struct HeadNames {
  bool Heads::*head;
  const char* what;
  std::string start;
};

// The heads that no other shares a name with.
std::vector<HeadNames> distinct_heads(const Family& family) {
  const MaskedLmNames& lm = family.masked_lm;
  std::vector<HeadNames> names{
      {&Heads::masked_lm, "masked-LM head",
       lm.dense ? std::string(lm.dense) + '.' : std::string(lm.bias) + ".bias"},
      {&Heads::replaced, "head of replaced tokens", "discriminator_predictions."},
      {&Heads::span, "head of spans", "qa_outputs."},
      {&Heads::position, "head of positions", "cls.positions."}};
  if (family.pooler) {
    names.push_back(
        {&Heads::pooler, "pooler", std::string(family.prefix) + '.' + family.pooler + '.'});
    names.push_back({&Heads::pair, "head of pairs", std::string(family.pair) + '.'});
  }
  return names;
}

// Those that are all called `classifier`, or nearly so; config.json says which it is.
std::vector<HeadNames> named_heads(const Family& family) {
  return {{&Heads::classification, "classification head", first_step(family.classifier.classes)},
          {&Heads::choice, "head of multiple choice", first_step(family.choice.classes)},
          {&Heads::tagging, "tagging head", "classifier."}};
}

}  // namespace

// ── names ───────────────────────────────────────────────────────────────────────────────────────

CheckpointNames::CheckpointNames(const Family& family, std::span<const Weights::Entry> entries)
    : prefix_(std::string(family.prefix) + '.') {
  for (const char* buffer : {"embeddings.position_ids", "embeddings.token_type_ids"})
    redundant_.insert(prefix_ + buffer);
  redundant_.insert(std::string(family.masked_lm.decoder) + ".weight");
  redundant_.insert(std::string(family.masked_lm.decoder) + ".bias");
  if (family.pooler) pooler_ = prefix_ + family.pooler + '.';

  data_parallel_ = std::ranges::any_of(
      entries, [](const auto& entry) { return entry.name.starts_with("module."); });
  const bool prefixed = std::ranges::any_of(
      entries, [&](const auto& entry) { return canonical(entry.name).starts_with(prefix_); });
  if (prefixed) return;
  for (const char* part : {family.embeddings.word, family.embeddings.projection, family.layers,
                           family.pooler, family.two_streams ? "mask_emb" : nullptr})
    if (part) first_steps_.insert(first_step(part));
}

std::string CheckpointNames::canonical(std::string name) const {
  constexpr std::string_view kDataParallel = "module.";
  if (data_parallel_ && name.starts_with(kDataParallel)) name.erase(0, kDataParallel.size());
  const auto replace_end = [&](std::string_view old_end, std::string_view new_end) {
    if (name.ends_with(old_end))
      name.replace(name.size() - old_end.size(), old_end.size(), new_end);
  };
  replace_end(".gamma", ".weight");
  replace_end(".beta", ".bias");
  return first_steps_.contains(first_step(name)) ? prefix_ + name : name;
}

bool CheckpointNames::is_body(std::string_view name) const {
  return name.starts_with(prefix_) && !is_pooler(name);
}

bool CheckpointNames::is_pooler(std::string_view name) const {
  return !pooler_.empty() && name.starts_with(pooler_);
}

// ── heads ───────────────────────────────────────────────────────────────────────────────────────

Checkpoint::Checkpoint(const std::filesystem::path& folder, const ModelConfig& config,
                       const LoadOptions& options)
    : config_(config),
      options_(options),
      weights_(Weights::open(folder)),
      names_(*config.family, weights_.entries()),
      random_(random_values(options.random)) {
  for (const Weights::Entry& entry : weights_.entries()) {
    const bool added = entries_.emplace(names_.canonical(entry.name), &entry).second;
    check(added, "", weights_.path_of(entry).string(), ": ", entry.name,
          " is there twice, under an old and a new name");
  }
  if (!config.tie_word_embeddings) use_untied_bias(config.family->masked_lm);
}

// The bias of an untied decoder is stored with the decoder (transformers 5), with the head (4), or
// with both, of which the decoder's counts.
void Checkpoint::use_untied_bias(const MaskedLmNames& names) {
  const auto found = entries_.find(std::string(names.decoder) + ".bias");
  if (found != entries_.end()) entries_[std::string(names.bias) + ".bias"] = found->second;
}

bool Checkpoint::holds(const std::string& start) const {
  const auto at = entries_.lower_bound(start);
  return at != entries_.end() && at->first.starts_with(start);
}

Heads Checkpoint::heads() const {
  if (options_.heads) return *options_.heads;
  for (const std::string& name : config_.architectures)
    if (classes_of(*config_.family, {name}).empty())
      say("config.json names " + name.substr(0, 80) + ", which is no class of " +
          config_.family->model_type + "'s; taking the heads that the file holds");
  return heads_of_file(heads_from(*config_.family, config_.architectures));
}

Heads Checkpoint::heads_of_file(const Heads& named) const {
  const std::vector<std::string> classes = classes_of(*config_.family, config_.architectures);
  const bool any_class = !classes.empty();
  // The pooler of a MobileBERT may be the first token's state itself, without tensors.
  const bool plain_pooler = config_.family->body_kind == BodyKind::mobilebert &&
                            !config_.bottlenecks.classifier_activation;
  Heads heads;
  std::string absent;
  const auto take = [&](const HeadNames& names, bool wanted, bool held) {
    heads.*names.head = wanted && held;
    if (any_class && named.*names.head && !held)
      absent += std::string(absent.empty() ? "" : ", ") + names.what;
  };
  for (const HeadNames& names : distinct_heads(*config_.family)) {
    const bool pooler = names.head == &Heads::pooler;
    const bool with_body = pooler || names.head == &Heads::pair;
    take(names, named.*names.head || with_body || !any_class,
         holds(names.start) || (pooler && plain_pooler && named.pooler));
  }
  for (const HeadNames& names : named_heads(*config_.family))
    take(names, named.*names.head, holds(names.start));
  heads.pair &= heads.pooler || plain_pooler;  // which it reads
  if (!absent.empty()) say("config.json names " + classes.front() + ", the file has no " + absent);
  return heads;
}

void Checkpoint::say(const std::string& sentence) const {
  if (options_.notice) options_.notice(weights_.path().filename().string() + ": " + sentence);
}

// ── values ──────────────────────────────────────────────────────────────────────────────────────

Tensor Checkpoint::value(const std::string& name, const Shape& shape, const Initial& initial) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    if (!names_.is_body(name) && options_.new_heads) return fresh(name, shape, initial);
    missing_.push_back(name);
    // What config.json asks for may have no end: as many as that are another model's.
    constexpr size_t kFew = 64;
    if (missing_.size() > entries_.size() + kFew) refuse({});
    return placeholder(shape);
  }
  used_.insert(name);
  const Weights::Entry& entry = *found->second;
  if (entry.shape != shape || entry.foreign || !is_float(entry.dtype)) {
    std::ostringstream text;
    text << name << ' ' << entry.shape << " of "
         << (entry.foreign ? entry.foreign : name_of(entry.dtype)) << " instead of " << shape;
    wrong_.push_back(text.str());
    return placeholder(shape);
  }
  return converted(weights_.tensor(entry), Dtype::f32);
}

// A new head is as wide as the body, which is there already: where that does not fit, nothing is
// made. A body without layers could still be wider than anything that the file holds.
Tensor Checkpoint::fresh(const std::string& name, const Shape& shape, const Initial& initial) {
  if (!missing_.empty() || !wrong_.empty()) return placeholder(shape);
  constexpr uint64_t kTimes = 8, kSmall = uint64_t{16} << 20;
  const uint64_t most = kTimes * weights_.bytes() + kSmall;
  fresh_bytes_ += static_cast<uint64_t>(shape.size()) * size_of(Dtype::f32);
  check(fresh_bytes_ <= most, "", weights_.path().string(), ": new heads would need more than ",
        most, " bytes with ", name, ' ', shape, ", for weights of ", weights_.bytes(),
        "; config.json is not theirs");
  fresh_.push_back(name);
  return random_(name, shape, initial);
}

void Checkpoint::finish() const {
  std::vector<std::string> unexpected, left_out;
  for (const auto& [name, entry] : entries_) {
    if (used_.contains(name) || names_.is_redundant(name)) continue;
    (names_.is_body(name) ? unexpected : left_out).push_back(name);
  }
  const auto of_pooler = [&](const std::string& name) { return names_.is_pooler(name); };
  check(missing_.empty() || !options_.heads || !std::ranges::all_of(missing_, of_pooler), "",
        weights_.path().string(), ": this model has no pooler; use mean or cls");
  // Where something is missing, a head's other tensors may be it under a wrong name.
  if (!missing_.empty() && !options_.heads)
    unexpected.insert(unexpected.end(), left_out.begin(), left_out.end());
  if (!missing_.empty() || !unexpected.empty() || !wrong_.empty()) refuse(unexpected);
  if (!left_out.empty() && !options_.heads) say("left out " + listed(left_out));
  if (!fresh_.empty()) say("has no " + listed(fresh_) + "; they are new and know nothing yet");
}

void Checkpoint::refuse(const std::vector<std::string>& unexpected) const {
  std::string complaint;
  const auto add = [&](const char* what, const std::vector<std::string>& names) {
    if (!names.empty())
      complaint += (complaint.empty() ? ": " : "; ") + std::string(what) + ' ' + listed(names);
  };
  add("missing", missing_);
  add("unexpected", unexpected);
  add("of the wrong shape or type", wrong_);
  fail("", weights_.path().string(), ": the tensors do not fit the model", complaint);
}

}  // namespace ink
