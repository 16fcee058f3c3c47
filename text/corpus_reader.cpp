// CorpusReader: the documents of a split in an order that the seed and the epoch decide.
#include <algorithm>
#include <numeric>

#include "tensor/error.h"
#include "tensor/philox.h"
#include "text/corpus.h"

namespace ink {
namespace {

// Blocks whose documents are shuffled together: as much text as is in memory at a time.
constexpr size_t kGroup = 16;
// Streams of an epoch: the order of the blocks, and from kGroups on the order inside each group.
constexpr uint64_t kBlockOrder = 0, kGroups = 1;

}  // namespace

CorpusReader::CorpusReader(const Corpus& corpus, Split split, std::optional<uint64_t> seed)
    : corpus_(corpus), split_(split), seed_(seed) {
  check(corpus.documents(split) > 0, "corpus: expected documents ",
        split == Split::train ? "to train on" : "held out", ", got none of ",
        corpus.documents(Split::train) + corpus.documents(Split::held_out),
        "; choose another share held_out or add text");
  seek({});
}

void CorpusReader::seek(CorpusPosition position) {
  const int64_t n = corpus_.documents(split_);
  check(position.epoch >= 0 && position.document >= 0 && position.document <= n,
        "corpus: expected a position in an epoch of ", n, " documents, got document ",
        position.document, " of epoch ", position.epoch);
  if (position.document == n) position = {position.epoch + 1, 0};
  position_ = position;
  order_.resize(static_cast<size_t>(corpus_.blocks()));
  std::iota(order_.begin(), order_.end(), 0);
  if (seed_) {
    const Random epoch = Random(*seed_).split(static_cast<uint64_t>(position.epoch));
    Draws(epoch.split(kBlockOrder)).shuffle(order_);
  }
  // Whole groups are passed by their counts alone.
  auto left = position.document;
  for (size_t first = 0;; first += kGroup) {
    int64_t in_group = 0;
    for (size_t i = first; i < std::min(first + kGroup, order_.size()); ++i)
      in_group += corpus_.block_documents(order_[i], split_);
    if (left < in_group) {
      load_group(first);
      next_document_ = static_cast<size_t>(left);
      return;
    }
    left -= in_group;
  }
}

void CorpusReader::load_group(size_t first) {
  documents_.clear();
  next_document_ = 0;
  next_group_ = std::min(first + kGroup, order_.size());
  for (size_t i = first; i < next_group_; ++i) {
    std::vector<Document> block = corpus_.read_block(order_[i], split_);
    std::move(block.begin(), block.end(), std::back_inserter(documents_));
  }
  if (!seed_) return;
  const Random epoch = Random(*seed_).split(static_cast<uint64_t>(position_.epoch));
  Draws(epoch.split(kGroups + first / kGroup)).shuffle(documents_);
}

Document CorpusReader::next() {
  while (next_document_ == documents_.size()) load_group(next_group_);
  Document out = std::move(documents_[next_document_++]);
  if (++position_.document == corpus_.documents(split_)) seek(position_);
  return out;
}

}  // namespace ink
