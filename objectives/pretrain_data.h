// The data of pre-training: corpus → documents → instances → batches, by (seed, position) alone.
//
// The corpus lies in blocks of documents (text/corpus.h); every epoch visits them in an order of
// its own. A block is read, tokenized, cut in instances, shuffled and handed out in batches by
// token budget. So only one block is in memory, a corpus may be larger than that, and a position is
// three numbers: epoch, block of the epoch, batch of the block. A resumed run makes that block
// again and goes on behind the batches it has had.
//
// The length of sequences may change between two batches (128 tokens first, then 512): set_length
// goes on with the next block, cut at the new length.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "objectives/batch.h"
#include "objectives/pairs.h"
#include "tensor/json.h"
#include "tensor/philox.h"
#include "text/corpus.h"
#include "text/segmenter.h"
#include "text/tokenizer.h"

namespace ink {

struct PretrainDataOptions {
  // Of a sequence, special tokens included: of held-out ones, and of the others until set_length.
  int64_t max_tokens = 128;
  int64_t batch_tokens = 4096;  // of a micro-batch
  PairTask pair_task = PairTask::none;
  double short_probability = 0.1;  // of shorter sequences in a document, with a pair task
  // Epochs with corruptions of their own: 0 = all (dynamic masking, Liu et al. 2019); n = epoch e
  // repeats those of epoch e mod n, as BERT's dupe_factor does (static masking).
  int64_t duplicates = 0;
  int64_t block_bytes = 16 << 20;   // of text that is shuffled together
  double held_out = 0.02;           // share of the documents that is never trained on
  int64_t held_out_tokens = 65536;  // of them that are batched for evaluation, at most
  uint64_t seed = 1;
};

class PretrainData {
 public:
  // Looks through the corpus once. `segmenter` may be null; tokenizer and segmenter must outlive
  // this object. Raises Error when there is nothing to train on.
  PretrainData(const std::vector<std::filesystem::path>& corpus, const Tokenizer& tokenizer,
               const Segmenter* segmenter, Corruption corruption,
               const PretrainDataOptions& options);

  // Without end, epoch after epoch. Sequences in which there is nothing to predict are left out.
  PretrainBatch next();
  // From the next batch on, at most batch_tokens. Nothing happens where that is the length already.
  void set_length(int64_t max_tokens);
  // Of the batch that next() will return. A position means the same batch only where the
  // fingerprint is the same.
  Json position() const;
  void seek(const Json& position);
  // What decides the batches: options, tokenizer, words and corpus (tensor/fingerprint.h).
  Json fingerprint() const;

  // Sequences of held-out documents under one fixed corruption; empty when no
  // document fell among them.
  std::vector<PretrainBatch> held_out() const;
  // Documents to train on from the beginning of the corpus, until `tokens` are there.
  std::vector<TokenDocument> sample(int64_t tokens) const;
  // Tokens of the first epoch as it is cut at the present length; only of a corpus of one block.
  std::optional<int64_t> tokens_of_one_block();
  int64_t documents() const { return corpus_.documents(Split::train); }  // to train on
  int64_t blocks() const { return corpus_.blocks(); }
  int64_t epoch() const { return epoch_; }

 private:
  // A block made ready for one epoch.
  struct Ready {
    int64_t epoch = -1, block = -1;  // `block` counts within the epoch
    int64_t in_corpus = -1;          // the same block in order of the corpus
    std::vector<Instance> instances = {};
    std::vector<std::vector<int64_t>> batches = {};  // indices of instances
  };
  // Where documents lie in the corpus.
  struct Place {
    int64_t block;
    Split split;
  };
  // What random numbers are for; each has a stream of the seed.
  enum class Stream : uint64_t { block_order, instances, batch_order, corruption, evaluation };

  std::vector<TokenDocument> read(int64_t block, Split split) const;
  int64_t block_of_epoch() const;
  void next_block();
  void make_ready();
  int64_t pass() const;
  Random random_for(Stream stream, int64_t pass, int64_t block) const;
  std::vector<TokenDocument> others_for(const Place& place) const;
  std::vector<Instance> instances_of(std::span<const TokenDocument> documents, const Place& place,
                                     int64_t max_tokens, const Random& random) const;
  std::vector<std::vector<int64_t>> batches_of(const std::vector<Instance>& instances,
                                               std::optional<uint64_t> shuffle) const;
  std::optional<PretrainBatch> corrupted(const std::vector<Instance>& instances,
                                         const std::vector<int64_t>& members,
                                         const Random& random) const;

  Corpus corpus_;
  const Tokenizer& tokenizer_;
  const Segmenter* segmenter_;
  Corruption corruption_;
  PretrainDataOptions options_;
  ObjectiveTokens tokens_;

  int64_t epoch_ = 0, block_ = 0, batch_ = 0;  // the position
  int64_t length_;                             // of sequences there, at most
  Ready ready_;
  int64_t kept_block_ = -1;          // in order of the corpus
  std::vector<TokenDocument> kept_;  // its documents
};

}  // namespace ink
