// Word order recovery: sentences in which a word stands in a wrong place → where it belongs.
//
//   words    我 每天 吃 一个 苹果      X = 吃, Y = 一个: X Y becomes Y X
//   text     我 每 天 一 个 吃 苹 果
//   tags     O  O  O  B  I  E  O  O   → put the run E in front of the run B I
//
// As Cui et al. 2022 (PERT, section 4.6) describe it: B begins a span with an error, I belongs to
// it, E is to be moved to its beginning; so a span is B I* E+. Their data and their rule of
// counting are not public; the generator and the scores below are definitions of our own.
//
// Generator. A sentence is cut in words; with probability `corrupt` it gets an error: two
// neighbouring runs of words X and Y, without punctuation, one of them a single word and the other
// of at most `longest` words, are drawn evenly among all such pairs with XY ≠ YX, and change
// places. Which error a sentence gets depends on the seed and on its text alone.
//
// Scores. A prediction is (sentence, begin, split, end); precision, recall and F1 count those that
// are exactly so, over all sentences. Sentence accuracy is the share of sentences that read as the
// original once corrected.
#pragma once
#include <compare>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/labels.h"
#include "tasks/tagged.h"
#include "tensor/philox.h"
#include "text/segmenter.h"

namespace ink {

enum OrderTag : int32_t { kInPlace, kErrorBegin, kErrorInside, kMoved };  // O B I E
const Labels& order_labels();

// Y is [begin, split), X, which belongs before it, [split, end); in units.
struct OrderError {
  int32_t begin, split, end;
  bool operator==(const OrderError&) const = default;
};

// The spans B I* E+ of tags, in order; tags that form none are passed over.
std::vector<OrderError> order_errors(std::span<const int32_t> tags);
// The units with every X in front of its Y.
std::vector<std::string> corrected(std::vector<std::string> units,
                                   std::span<const OrderError> errors);

struct DisorderOptions {
  double corrupt = 0.5;  // share of the sentences that get an error, if they can
  int64_t longest = 3;   // words of the longer of X and Y
  int64_t most = 1;      // errors in a sentence; above 1 their number is drawn evenly from 1 on
};

// A sentence of words as units of one character with tags, in order or not. Blanks are no units.
TaggedSentence disordered(std::span<const std::u32string> words, const DisorderOptions& options,
                          Draws& draws);

struct WordOrderOptions {
  std::vector<std::filesystem::path> corpus = {};  // text/corpus.h
  std::filesystem::path out = {};                  // folder for train.txt, dev.txt, test.txt
  DisorderOptions disorder = {};
  int64_t shortest = 5, longest = 126;       // characters of the sentences that are taken
  double dev_share = 0.1, test_share = 0.1;  // of the documents
  // Sentences of each file at most; 0: all. Documents come in a random order.
  int64_t train_sentences = 0, dev_sentences = 0, test_sentences = 0;
  uint64_t seed = 1;
  int64_t block_bytes = 16 << 20;  // of text that is read at once
};

struct WordOrderFile {
  int64_t sentences = 0, with_error = 0, errors = 0;
};
struct WordOrderResult {
  WordOrderFile train, dev, test;
  int64_t documents = 0;
};

// Writes the three files (tasks/tagged.h). Each document is in one of them as a whole, and a
// sentence that occurs several times only where it comes first. Raises Error when a file would be
// empty.
WordOrderResult make_word_order(const WordOrderOptions& options, const Segmenter& segmenter);

}  // namespace ink
