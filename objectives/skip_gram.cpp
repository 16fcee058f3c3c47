// train_skip_gram: slices of text → pairs in strata → one step of gradient descent each.
#include "objectives/skip_gram.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "objectives/skip_gram_pairs.h"
#include "objectives/skip_gram_step.h"
#include "objectives/word_strata.h"
#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tensor/random_words.h"
#include "tensor/simd.h"

namespace ink {
namespace {

constexpr int64_t kSliceWords = int64_t{1} << 14;
constexpr int64_t kWordsOfPart = 128, kMostParts = 16;
constexpr double kLeastRate = 1e-4;  // as a share of the first
constexpr double kNoisePower = 0.75;
constexpr int64_t kLossEvery = 16;  // pairs

// What random numbers are for; each has a stream of the seed.
enum Stream : uint64_t {
  first_values,
  block_order,
  input_parts,
  output_parts,
  pairs_of_text,
  noise_words
};

struct Slice {
  std::vector<int64_t> blocks = {};  // of the corpus
  int64_t before = 0, words = 0;     // words of the slices before, and of this one
};

// The blocks of all epochs, in an order of its own each, in slices of about `slice_words`.
std::vector<Slice> slices_of(const WordCorpus& corpus, int64_t epochs, int64_t slice_words,
                             const Random& random) {
  std::vector<Slice> out;
  std::vector<int64_t> order(static_cast<size_t>(corpus.blocks()));
  std::iota(order.begin(), order.end(), 0);
  int64_t words = 0;
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    Draws(random.split(static_cast<uint64_t>(epoch))).shuffle(order);
    int64_t room = 0;
    for (const int64_t block : order) {
      if (room <= 0) {
        out.push_back({.before = words});
        room = slice_words;
      }
      out.back().blocks.push_back(block);
      out.back().words += corpus.block_words(block);
      words += corpus.block_words(block);
      room -= corpus.block_words(block);
    }
  }
  return out;
}

// Rows of both matrices, padded; words[i] starts at i · stride.
struct Matrices {
  Matrices(int64_t words, int64_t width, const Random& random)
      : V(words), C(width), stride((width + kRowFloats - 1) / kRowFloats * kRowFloats) {
    inputs.resize(static_cast<size_t>(V * stride));
    outputs.resize(inputs.size());
    parallel_for(V, grain_for(C), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        for (int64_t c = 0; c < C; ++c)
          inputs[static_cast<size_t>(i * stride + c)] = static_cast<float>(
              (random.uniform(static_cast<uint64_t>(i * C + c)) - 0.5) / static_cast<double>(C));
    });
  }
  Tensor input_rows() const {
    Tensor rows(Shape{V, C});
    auto* row = rows.data<float>();
    for (int64_t i = 0; i < V; ++i, row += C)
      std::copy_n(&inputs[static_cast<size_t>(i * stride)], C, row);
    return rows;
  }

  int64_t V, C, stride;
  std::vector<float> inputs, outputs;
};

// Words of a random stream, many at a time.
class Bits {
 public:
  explicit Bits(const Random& random) : key_(random.key()) {}
  uint32_t next() {
    if (at_ == kRandomWords) {
      random_words(key_, block_, words_);
      block_ += kRandomBlocks;
      at_ = 0;
    }
    return words_[at_++];
  }

 private:
  PhiloxKey key_;
  uint64_t block_ = 0;
  int64_t at_ = kRandomWords;
  uint32_t words_[kRandomWords];
};

// The pairs of a bucket in order; returns the sum of the losses of every kLossEvery-th.
double train_pairs(std::span<const WordPair> pairs, const NoiseTable& noise, int64_t negatives,
                   Matrices& model, SkipGramStep& step, Bits& bits) {
  double loss = 0;
  float* u[kMostTargets];
  float *inputs = model.inputs.data(), *outputs = model.outputs.data();
  const int64_t stride = model.stride;
  for (const WordPair& pair : pairs) {
    int64_t targets = 0;
    u[targets++] = outputs + pair.output * stride;
    for (int64_t k = 0; k < negatives; ++k) {
      const int32_t word = noise.draw(bits.next());
      if (word != pair.output) u[targets++] = outputs + word * stride;
    }
    step(inputs + pair.input * stride, u, targets);
    if ((&pair - pairs.data()) % kLossEvery == 0) loss += static_cast<double>(step.loss());
  }
  return loss;
}

struct SliceResult {
  int64_t pairs = 0, measured = 0;
  double loss = 0;  // of those measured
};

class Training {
 public:
  Training(const WordCorpus& corpus, const SkipGramOptions& options)
      : corpus_(corpus),
        options_(options),
        random_(options.seed),
        parts_(parts_for(corpus.words().size(), options.strata)),
        keep_(keep_probabilities(corpus, options.subsample)),
        model_(corpus.words().size(), options.width, random_.split(first_values)) {
    for (const int64_t count : corpus.counts())
      noise_weights_.push_back(std::pow(static_cast<double>(count), kNoisePower));
  }

  WordVectors run() {
    const int64_t slice_words = std::max<int64_t>(kSliceWords, corpus_.words().size());
    const std::vector<Slice> slices =
        slices_of(corpus_, options_.epochs, slice_words, random_.split(block_order));
    int64_t pairs = 0;
    for (size_t i = 0; i < slices.size(); ++i) {
      const double rate = rate_of(slices[i]);
      const SliceResult result = train(slices[i], i, rate);
      pairs += result.pairs;
      check(std::isfinite(result.loss), "skip-gram: the loss is no number after part ", i + 1,
            " of ", slices.size(), ", at a learning rate of ", rate, "; expected a lower one than ",
            options_.learning_rate);
      report(slices, i, rate, result);
    }
    check(pairs > 0, "skip-gram: expected lines with words side by side, got none among ",
          corpus_.words_of_text(), " words");
    return {.words = corpus_.words(), .rows = model_.input_rows()};
  }

 private:
  static int64_t parts_for(int64_t words, int64_t strata) {
    if (strata > 0) return std::min(strata, words);
    return std::clamp<int64_t>(words / kWordsOfPart, 1, kMostParts);
  }

  double rate_of(const Slice& slice) const {
    const auto all = static_cast<double>(corpus_.words_of_text() * options_.epochs);
    const double done =
        (static_cast<double>(slice.before) + 0.5 * static_cast<double>(slice.words)) / all;
    return options_.learning_rate * std::max(kLeastRate, 1 - done);
  }

  Random random_for(Stream use, size_t slice) const { return random_.split(use).split(slice); }

  SliceResult train(const Slice& slice, size_t number, double rate) {
    const WordStrata inputs(model_.V, parts_, random_for(input_parts, number)),
        outputs(model_.V, parts_, random_for(output_parts, number));
    std::vector<NoiseTable> noise(static_cast<size_t>(parts_));
    parallel_for(parts_, 1, [&](int64_t part, int64_t) {
      noise[static_cast<size_t>(part)] = NoiseTable(outputs.members(part), noise_weights_);
    });
    const std::vector<PairBuckets> buckets = buckets_of(slice, number, inputs, outputs);

    std::vector<SliceResult> results(static_cast<size_t>(parts_));  // by input part
    for (int64_t stratum = 0; stratum < parts_; ++stratum) {
      parallel_for(parts_, 1, [&](int64_t part, int64_t) {
        const int64_t output_part = (part + stratum) % parts_;
        Bits bits(random_for(noise_words, number)
                      .split(static_cast<uint64_t>(part * parts_ + output_part)));
        train_bucket(buckets, part, output_part, noise[static_cast<size_t>(output_part)],
                     static_cast<float>(rate), bits, results[static_cast<size_t>(part)]);
      });
    }
    SliceResult all;
    for (const SliceResult& r : results) {
      all.pairs += r.pairs;
      all.measured += r.measured;
      all.loss += r.loss;
    }
    return all;
  }

  std::vector<PairBuckets> buckets_of(const Slice& slice, size_t number, const WordStrata& inputs,
                                      const WordStrata& outputs) const {
    std::vector<PairBuckets> out(slice.blocks.size());
    parallel_for(static_cast<int64_t>(out.size()), 1, [&](int64_t i, int64_t) {
      const auto b = static_cast<size_t>(i);
      const Random random = random_for(pairs_of_text, number).split(b);
      out[b] = PairBuckets(pairs_of(corpus_.block(slice.blocks[b]), keep_, options_.window, random),
                           inputs, outputs);
    });
    return out;
  }

  // A bucket of all blocks, one block after the other.
  void train_bucket(const std::vector<PairBuckets>& blocks, int64_t input_part, int64_t output_part,
                    const NoiseTable& noise, float rate, Bits& bits, SliceResult& result) {
    const int64_t negatives = options_.negatives;
    simd::run([&] {
      SkipGramStep step(model_.stride, rate);
      for (const PairBuckets& block : blocks) {
        const auto pairs = block.bucket(input_part, output_part);
        result.loss += train_pairs(pairs, noise, negatives, model_, step, bits);
        result.pairs += static_cast<int64_t>(pairs.size());
        result.measured += (static_cast<int64_t>(pairs.size()) + kLossEvery - 1) / kLossEvery;
      }
    });
  }

  void report(const std::vector<Slice>& slices, size_t done, double rate,
              const SliceResult& result) const {
    if (!options_.progress) return;
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    const auto words = static_cast<double>(slices[done].before + slices[done].words),
               all = static_cast<double>(corpus_.words_of_text() * options_.epochs);
    options_.progress(
        {.step = static_cast<int64_t>(done) + 1,
         .steps = static_cast<int64_t>(slices.size()),
         .loss = result.loss / static_cast<double>(std::max<int64_t>(1, result.measured)),
         .learning_rate = rate,
         .tokens_per_second = words / seconds,
         .seconds_left = seconds * (all - words) / words});
  }

  const WordCorpus& corpus_;
  const SkipGramOptions& options_;
  Random random_;
  int64_t parts_;
  std::vector<double> keep_, noise_weights_;
  Matrices model_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

constexpr int64_t kLongestWindow = 1 << 20;

void check_options(const SkipGramOptions& o) {
  check(o.width > 0 && o.window > 0 && o.epochs > 0,
        "skip-gram: expected width, window and epochs of at least 1, got ", o.width, ", ", o.window,
        " and ", o.epochs);
  check(o.window <= kLongestWindow, "skip-gram: expected a window of at most ", kLongestWindow,
        " words, got ", o.window);
  check(o.negatives > 0 && o.negatives < kMostTargets, "skip-gram: expected 1 to ",
        kMostTargets - 1, " negatives, got ", o.negatives);
  check(o.subsample >= 0 && o.learning_rate > 0 && o.strata >= 0,
        "skip-gram: expected subsample from 0, a learning rate above 0 and strata from 0, got ",
        o.subsample, ", ", o.learning_rate, " and ", o.strata);
}

}  // namespace

WordVectors train_skip_gram(const WordCorpus& corpus, const SkipGramOptions& options) {
  check_options(options);
  return Training(corpus, options).run();
}

}  // namespace ink
