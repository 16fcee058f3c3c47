// train_skip_gram: text → word vectors, by skip-gram with negative sampling (Mikolov et al. 2013).
//
// For each word o of the text and each word i at most b places from it, b drawn from 1 … window,
//
//   loss = −log σ(v_i · u_o) − Σ_k log σ(−v_i · u_n(k)),   k = 1 … negatives
//
// with noise words n drawn in proportion to count^0.75. Frequent words are left out of the text
// with probability 1 − √(t/f) − t/f, where f is the word's share of the text and t is `subsample`.
// Stochastic gradient descent, one pair a step, at a rate that falls linearly to a ten-thousandth.
// The result is the input matrix v.
//
//   const Corpus corpus = Corpus::open({"texts"}, {.block_bytes = 1 << 14});
//   const WordCorpus words(corpus, Segmenter::load());
//   train_skip_gram(words).save("vectors.txt");
//
// In parallel, and yet the same bits for any number of threads: the text comes in slices; within
// one the pairs are ordered so that those which touch the same rows run one after the other and all
// others at once (objectives/word_strata.h). No update is lost, and none is computed from values
// that another is about to change. What is given up is the order of pairs within a slice, and that
// noise words come from the part of the vocabulary that the pair's own word is in for this slice.
#pragma once
#include <cstdint>
#include <functional>

#include "autograd/trainer.h"
#include "text/word_corpus.h"
#include "text/word_vectors.h"

namespace ink {

struct SkipGramOptions {
  int64_t width = 100;    // C, of a vector
  int64_t window = 5;     // words on either side, at most
  int64_t negatives = 5;  // noise words of a pair, 1 to 63
  int64_t epochs = 5;
  double subsample = 1e-3;  // t; 0 keeps every word
  double learning_rate = 0.025;
  // Parts of the vocabulary; no more than this many threads are busy. 0 = one for each 128 words,
  // 16 at most. 1 is the sequential algorithm.
  int64_t strata = 0;
  uint64_t seed = 1;
  // After every slice: slices done, mean loss of its pairs, rate, words a second.
  std::function<void(const Progress&)> progress = {};
};

// Rows in order of corpus.words(). Raises Error for options out of range, and for text without two
// words side by side.
WordVectors train_skip_gram(const WordCorpus& corpus, const SkipGramOptions& options = {});

}  // namespace ink
