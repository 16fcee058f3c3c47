// Blocks, instances and batches; every random choice is keyed by what it is for.
#include "objectives/pretrain_data.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "objectives/instances.h"
#include "objectives/tokenize.h"
#include "tensor/error.h"
#include "tensor/fingerprint.h"
#include "text/batch.h"
#include "text/fingerprint.h"

namespace ink {
namespace {

const char* name_of(PairTask task) {
  switch (task) {
    case PairTask::none: return "none";
    case PairTask::next_sentence: return "next_sentence";
    case PairTask::sentence_order: return "sentence_order";
    case PairTask::unasked: return "unasked";
  }
  fail("pairs: unknown task ", static_cast<int>(task));
}

}  // namespace

PretrainData::PretrainData(const std::vector<std::filesystem::path>& corpus,
                           const Tokenizer& tokenizer, const Segmenter* segmenter,
                           Corruption corruption, const PretrainDataOptions& options)
    : corpus_(
          Corpus::open(corpus, {.held_out = options.held_out, .block_bytes = options.block_bytes})),
      tokenizer_(tokenizer),
      segmenter_(segmenter),
      corruption_(std::move(corruption)),
      options_(options),
      tokens_(objective_tokens(tokenizer)),
      length_(options.max_tokens) {
  check(options_.batch_tokens >= options_.max_tokens,
        "pre-training: expected batch_tokens of at least max_tokens, got ", options_.batch_tokens,
        " and ", options_.max_tokens);
  check(options_.batch_tokens <= options_.block_bytes,
        "pre-training: a batch is made of one block of text; expected batch_tokens of at most the ",
        options_.block_bytes, " bytes of a block, got ", options_.batch_tokens);
  check(options_.duplicates >= 0, "pre-training: expected duplicates of 0 or more, got ",
        options_.duplicates);
  check(documents() > 0, "pre-training: expected documents to train on, found none beside ",
        corpus_.documents(Split::held_out), " held out");
  check(options_.pair_task != PairTask::next_sentence || corpus_.whole_documents(Split::train) > 1,
        "pre-training: next-sentence prediction takes half of its sentences from another document; "
        "expected two documents to train on or more, got ",
        corpus_.whole_documents(Split::train), "; put a blank line between documents");
}

std::vector<TokenDocument> PretrainData::read(int64_t block, Split split) const {
  std::vector<TokenDocument> documents;
  for (const Document& text : corpus_.read_block(block, split)) {
    TokenDocument document = tokenize_document(text, tokenizer_, segmenter_);
    if (!document.empty()) documents.push_back(std::move(document));
  }
  return documents;
}

std::vector<TokenDocument> PretrainData::sample(int64_t tokens) const {
  std::vector<TokenDocument> all;
  for (int64_t block = 0; block < blocks(); ++block) {
    for (const Document& text : corpus_.read_block(block, Split::train)) {
      if (tokens <= 0) return all;
      all.push_back(tokenize_document(text, tokenizer_, segmenter_));
      for (const TokenSentence& s : all.back()) tokens -= std::ssize(s.ids);
    }
  }
  return all;
}

std::optional<int64_t> PretrainData::tokens_of_one_block() {
  if (blocks() > 1) return std::nullopt;
  make_ready();
  int64_t tokens = 0;
  for (const Instance& each : ready_.instances) tokens += std::ssize(each.ids);
  return tokens;
}

// ── instances and batches ───────────────────────────────────────────────────────────────────────

// For next-sentence prediction in a block of one document: those to train on of the nearest block
// that holds another.
std::vector<TokenDocument> PretrainData::others_for(const Place& place) const {
  std::vector<uint64_t> own;
  for (const Document& text : corpus_.read_block(place.block, place.split))
    own.push_back(text.beginning);
  std::vector<TokenDocument> others;
  for (int64_t i = 0; i < blocks() && others.empty(); ++i) {
    for (const Document& text : corpus_.read_block((place.block + i) % blocks(), Split::train)) {
      if (std::ranges::count(own, text.beginning) > 0) continue;
      TokenDocument document = tokenize_document(text, tokenizer_, segmenter_);
      if (!document.empty()) others.push_back(std::move(document));
    }
  }
  return others;
}

std::vector<Instance> PretrainData::instances_of(std::span<const TokenDocument> documents,
                                                 const Place& place, int64_t max_tokens,
                                                 const Random& random) const {
  std::vector<TokenDocument> others;
  if (options_.pair_task == PairTask::next_sentence && documents.size() == 1)
    others = others_for(place);
  Draws draws(random);
  return make_instances(documents, options_.pair_task,
                        {.max_tokens = max_tokens,
                         .short_probability = options_.short_probability,
                         .tokens = tokens_,
                         .others = others},
                        draws);
}

std::vector<std::vector<int64_t>> PretrainData::batches_of(const std::vector<Instance>& instances,
                                                           std::optional<uint64_t> shuffle) const {
  std::vector<int64_t> lengths;
  lengths.reserve(instances.size());
  for (const Instance& each : instances) lengths.push_back(std::ssize(each.ids));
  return batches(lengths, {.max_tokens = options_.batch_tokens, .shuffle = shuffle});
}

// Instance i is corrupted with random.split(i). Nothing when there is nothing to
// predict in any of them.
std::optional<PretrainBatch> PretrainData::corrupted(const std::vector<Instance>& instances,
                                                     const std::vector<int64_t>& members,
                                                     const Random& random) const {
  std::vector<const Instance*> chosen;
  std::vector<Corrupted> results;
  for (const int64_t i : members) {
    const Instance& instance = instances[static_cast<size_t>(i)];
    Draws draws(random.split(static_cast<uint64_t>(i)));
    Corrupted c = corruption_(instance, draws);
    if (c.positions.empty() && instance.pair_label == kIgnore) continue;
    chosen.push_back(&instance);
    results.push_back(std::move(c));
  }
  if (chosen.empty()) return std::nullopt;
  return make_batch(chosen, results);
}

Random PretrainData::random_for(Stream stream, int64_t pass, int64_t block) const {
  return Random(options_.seed)
      .split(static_cast<uint64_t>(stream))
      .split(static_cast<uint64_t>(pass))
      .split(static_cast<uint64_t>(block));
}

int64_t PretrainData::pass() const {
  return options_.duplicates > 0 ? epoch_ % options_.duplicates : epoch_;
}

// Which block of the corpus is the n-th of this epoch.
int64_t PretrainData::block_of_epoch() const {
  std::vector<int64_t> order(static_cast<size_t>(blocks()));
  std::iota(order.begin(), order.end(), 0);
  Draws draws(random_for(Stream::block_order, epoch_, 0));
  draws.shuffle(order);
  return order[static_cast<size_t>(block_)];
}

void PretrainData::make_ready() {
  if (ready_.epoch == epoch_ && ready_.block == block_) return;
  ready_ = {.epoch = epoch_, .block = block_, .in_corpus = block_of_epoch()};
  if (kept_block_ != ready_.in_corpus) {  // a corpus of one block is tokenized once
    kept_ = read(ready_.in_corpus, Split::train);
    kept_block_ = ready_.in_corpus;
  }
  ready_.instances = instances_of(kept_, {ready_.in_corpus, Split::train}, length_,
                                  random_for(Stream::instances, pass(), ready_.in_corpus));
  const uint64_t order = random_for(Stream::batch_order, epoch_, ready_.in_corpus).seed();
  ready_.batches = batches_of(ready_.instances, order);
}

PretrainBatch PretrainData::next() {
  for (int64_t fruitless = 0; fruitless <= 2 * blocks();) {
    make_ready();
    if (batch_ < std::ssize(ready_.batches)) {
      auto batch = corrupted(ready_.instances, ready_.batches[static_cast<size_t>(batch_++)],
                             random_for(Stream::corruption, pass(), ready_.in_corpus));
      if (batch) return std::move(*batch);
      continue;
    }
    ++fruitless;
    next_block();
  }
  fail(
      "pre-training: nothing can be predicted in a whole epoch of the corpus; expected sentences "
      "with more words");
}

void PretrainData::next_block() {
  batch_ = 0;
  if (++block_ == blocks()) {
    block_ = 0;
    ++epoch_;
  }
}

void PretrainData::set_length(int64_t max_tokens) {
  if (max_tokens == length_) return;
  check(max_tokens <= options_.batch_tokens, "pre-training: expected a length of at most ",
        options_.batch_tokens, " tokens, all that a batch holds, got ", max_tokens);
  length_ = max_tokens;
  ready_ = {};
  if (batch_ > 0) next_block();
}

std::vector<PretrainBatch> PretrainData::held_out() const {
  std::vector<PretrainBatch> all;
  int64_t tokens = 0;
  const Random random = Random(options_.seed).split(static_cast<uint64_t>(Stream::evaluation));
  for (int64_t block = 0; block < blocks(); ++block) {
    if (corpus_.block_documents(block, Split::held_out) == 0) continue;
    const Random here = random.split(static_cast<uint64_t>(block));
    const auto instances = instances_of(read(block, Split::held_out), {block, Split::held_out},
                                        options_.max_tokens, here.split(0));
    for (const auto& members : batches_of(instances, std::nullopt)) {
      if (tokens >= options_.held_out_tokens) return all;
      auto batch = corrupted(instances, members, here.split(1));
      if (!batch) continue;
      tokens += batch->inputs.tokens();
      all.push_back(std::move(*batch));
    }
  }
  return all;
}

// ── position ────────────────────────────────────────────────────────────────────────────────────

Json PretrainData::position() const {
  return Json::make_object(
      {{"epoch", epoch_}, {"block", block_}, {"batch", batch_}, {"length", length_}});
}

void PretrainData::seek(const Json& position) {
  epoch_ = position.integer_between("epoch", 0, INT64_MAX);
  block_ = position.integer_between("block", 0, blocks() - 1);
  batch_ = position.integer_between("batch", 0, INT64_MAX);
  const int64_t length = position.integer_between("length", 1, options_.batch_tokens);
  if (length != length_) ready_ = {};
  length_ = length;
}

Json PretrainData::fingerprint() const {
  return Json::make_object({{"pair_task", name_of(options_.pair_task)},
                            {"short_probability", options_.short_probability},
                            {"max_tokens", options_.max_tokens},
                            {"batch_tokens", options_.batch_tokens},
                            {"duplicates", options_.duplicates},
                            {"block_bytes", options_.block_bytes},
                            {"held_out", options_.held_out},
                            {"held_out_tokens", options_.held_out_tokens},
                            {"tokenizer", fingerprint_of(tokenizer_)},
                            {"corpus_documents", documents()},
                            {"corpus_bytes", corpus_.bytes()},
                            {"corpus", Digest().add(corpus_.digest()).to_string()},
                            {"dictionary", segmenter_ ? Json(segmenter_->digest()) : Json()}});
}

}  // namespace ink
