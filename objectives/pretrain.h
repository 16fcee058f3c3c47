// The pre-training job: text → a model trained on any objective → model folder.
//
//   const Tokenizer tokenizer = Tokenizer::load("vocab-folder");
//   const Segmenter words = Segmenter::load();
//   pretrain(config, tokenizer, &words,
//            {.corpus = {"texts"}, .out = "model", .objective = objective_from("wwm,nsp")}, {});
//
// `out` receives the model (config.json, model.safetensors, vocab.txt, tokenizer_config.json; the
// class of the family that has the objective's heads, such as BertForMaskedLM, and for rtd the
// discriminator, with its generator in `out`/generator) when training has finished, `out`/best
// the one with the lowest held-out loss so far, and `out`/training the log and the checkpoints. A
// run that was interrupted, killed or has failed is continued with `resume` and the same options,
// and ends with the same bits. Text is read, segmented, tokenized and corrupted on a thread of its
// own while the model computes.
//
// Stages: `stages` trains first on short sequences, then on long ones, which cost more (Devlin et
// al. 2019: 128 tokens for 90 % of the steps, then 512). Held-out text is measured at the length of
// the last stage throughout, so that its curve is one.
//
// Several processes (`processes`) share the micro-batches of a step, as autograd/trainer.h says;
// each prepares all data by itself, and the first one writes and calls back.
#pragma once
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "autograd/trainer.h"
#include "nn/config.h"
#include "objectives/lesson.h"
#include "objectives/objective.h"
#include "objectives/pretrain_data.h"

namespace ink {

// A part of the steps, with sequences of its own length.
struct PretrainStage {
  int64_t max_tokens = 128;  // longest sequence, special tokens included
  double share = 1;          // of the steps; the shares add up to 1
};

struct PretrainOptions {
  // ── what is read and written ──
  std::vector<std::filesystem::path> corpus = {};  // text files and folders of them (text/corpus.h)
  std::filesystem::path out = {};                  // model folder to write
  std::filesystem::path start_from = {};  // model folder whose weights are the start; empty: random
  // In place of the objective's own model and losses; config is then its model's. It outlives the
  // training.
  const Lesson* lesson = nullptr;

  // ── the objective ──
  Objective objective = {};        // masked whole words (objectives/objective.h)
  double short_probability = 0.1;  // of shorter sequences in a document, with a pair task
  int64_t duplicates = 0;          // 0 = new masks every epoch; n = n static maskings in turn

  // ── sequences and batches ──
  int64_t max_tokens = 128;         // longest sequence, special tokens included
  int64_t batch_tokens = 4096;      // of a micro-batch
  int64_t accumulate = 1;           // micro-batches of a step
  int64_t block_bytes = 16 << 20;   // of text that is shuffled together
  double held_out = 0.02;           // share of the documents that only measure
  int64_t held_out_tokens = 65536;  // of them, at most
  // In place of max_tokens: parts of the steps, in turn, each with a length of its own.
  std::vector<PretrainStage> stages = {};

  // ── training ──
  int64_t steps = 10000;
  double learning_rate = 1e-4;  // highest
  int64_t warmup_steps = -1;    // linear from 0; −1 = a tenth of `steps`
  Decay decay = Decay::linear;  // of the learning rate after the warm-up
  DecayFrom decay_from = DecayFrom::warmup_end;
  OptimizerOptions optimizer = {};  // kind, weight decay, …
  double clip_norm = 1.0;           // longest gradient; 0 = never clipped
  bool recompute = false;  // layers are computed again in backward: less memory, a third more time
  bool graphs = false;     // steps of shapes that come again are replayed (TrainerOptions::graphs)
  // On the CUDA device: batches are filled up (nn/fill.h), so that they have few shapes. It changes
  // no result but by rounding.
  bool fill = false;
  uint64_t seed = 1;

  // ── observing, stopping, resuming ──
  int64_t log_every = 10;
  int64_t evaluate_every = 0;       // steps; 0 = only at the end
  int64_t checkpoint_every = 1000;  // steps; 0 = only when stopped and at the end
  int64_t keep_checkpoints = 2;
  // Steps after which the model is also written, to `out`/step-N; 0: before the first.
  std::vector<int64_t> save_at = {};
  bool event_file = false;  // TensorBoard's, in `out`/training
  bool resume = false;
  const std::atomic<bool>* stop = nullptr;  // set to stop: writes a checkpoint and returns
  Communicator* processes = nullptr;        // that train together; null = this one alone
};

struct PretrainCallbacks {
  std::function<void(const Progress& progress)> progress = {};
  std::function<void(const std::string& sentence)> notice = {};
};

struct PretrainResult {
  // Its evaluations are the lesson's, those of objectives/pretrain_evaluation.h.
  TrainingResult training;
  int64_t documents = 0;  // trained on
  int64_t epochs = 0;     // begun
  int64_t parameters = 0;
  double waited_for_data = 0;  // seconds of training spent waiting for the next batch
};

// The seed of PretrainData in a run with this seed, to see the same batches elsewhere.
uint64_t pretrain_data_seed(uint64_t seed);

// Raises Error for what no text can make possible: options that contradict each other, a model that
// cannot learn the objective, lengths that do not fit. pretrain() begins with it.
void check_pretraining(const ModelConfig& config, const Tokenizer& tokenizer,
                       const PretrainOptions& options);

// config.vocab_size should be the tokenizer's, or more; with start_from the config of that model is
// used instead. segmenter may be null: Chinese characters are then words of their own.
PretrainResult pretrain(const ModelConfig& config, const Tokenizer& tokenizer,
                        const Segmenter* segmenter, const PretrainOptions& options,
                        const PretrainCallbacks& callbacks);

}  // namespace ink
