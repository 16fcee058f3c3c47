// The fixture of tests that pre-train: a toy corpus, a small model of it, and runs of the job.
#pragma once
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <string>

#include "objectives/pretrain.h"
#include "tensor/file.h"
#include "tests/objectives/toy_corpus.h"
#include "tests/scratch_folder.h"

namespace ink {

class ToyTraining : public ::testing::Test {
 protected:
  explicit ToyTraining(const char* name)
      : folder_(scratch_folder(name)), segmenter_(toy_segmenter(folder_)) {
    write_toy_corpus(folder_ / "texts", 80, 2);
  }
  ~ToyTraining() override { std::filesystem::remove_all(folder_); }

  ModelConfig config() const {
    ModelConfig c;
    c.vocab_size = tokenizer_.vocabulary().size();
    c.hidden_size = 32;
    c.head_size = 16;
    c.max_position_embeddings = 40;
    c.set_layers(2, 2, 48);
    return c;
  }
  PretrainResult run(const PretrainOptions& o, const PretrainCallbacks& callbacks = {}) const {
    return pretrain(config(), tokenizer_, &segmenter_, o, callbacks);
  }
  // Stops behind a step, as Ctrl-C does.
  void run_until(int64_t step, PretrainOptions o) const {
    std::atomic<bool> stop = false;
    o.stop = &stop;
    const PretrainResult r =
        run(o, {.progress = [&](const Progress& p) { stop = p.step == step; }});
    ASSERT_EQ(r.training.status, TrainingResult::Status::interrupted);
  }
  std::string bytes(const std::filesystem::path& file) const {
    return read_file(folder_ / file, 1 << 24);
  }

  const std::filesystem::path folder_;
  const Tokenizer tokenizer_ = toy_tokenizer();
  const Segmenter segmenter_;
};

}  // namespace ink
