// A task that must be learned: in random characters, one of three key characters decides the class.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "nn/model_folder.h"
#include "tasks/finetune.h"
#include "tensor/file.h"
#include "tensor/philox.h"
#include "tests/scratch_folder.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace ink {

// A folder of its own for one test, removed at the end: `model` (untrained,
// without a head), `train.tsv`, `dev.tsv`.
struct ToyTask {
  static constexpr int kCharacters = 24, kClasses = 3;
  std::filesystem::path folder;

  explicit ToyTask(const std::string& name) : folder(scratch_folder("ink_" + name)) {
    std::filesystem::remove_all(folder);
    create_folders(folder);
    std::vector<std::string> tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    for (int i = 0; i < kCharacters + kClasses; ++i) tokens.push_back(character(i));
    ModelConfig c;
    c.vocab_size = static_cast<int64_t>(tokens.size());
    c.hidden_size = 32;
    c.max_position_embeddings = 16;
    c.initializer_range = 0.1;
    c.set_layers(2, 4, 64);
    save_model(Model(c, {.pooler = true}, random_values(Random(5))), folder / "model");
    Tokenizer(Vocabulary(tokens)).save(folder / "model");
    write_examples("train.tsv", 480, 1);
    write_examples("dev.tsv", 120, 2);
  }
  ~ToyTask() { std::filesystem::remove_all(folder); }
  ToyTask(const ToyTask&) = delete;
  ToyTask& operator=(const ToyTask&) = delete;

  FinetuneOptions options(const std::string& out) const {
    FinetuneOptions o;
    o.model = folder / "model";
    o.out = folder / out;
    o.data.train = folder / "train.tsv";
    o.data.dev = folder / "dev.tsv";
    o.max_length = 16;
    o.fit.epochs = 6;
    o.fit.batch_size = 16;
    o.fit.learning_rate = 3e-3;
    return o;
  }

  // The untrained model, but its body and its classifier drop these shares while they train.
  std::filesystem::path model_that_drops(double body, double classifier) const {
    Model model = load_model(folder / "model");
    model.config.hidden_dropout_prob = model.config.attention_probs_dropout_prob = body;
    model.config.classifier_dropout = classifier;
    const std::filesystem::path out =
        folder / ("drops-" + std::to_string(body) + "-" + std::to_string(classifier));
    save_model(model, out, folder / "model");
    return out;
  }

  static std::string character(int i) {
    return encode_utf8(std::u32string(1, static_cast<char32_t>(0x4E00 + i)));
  }

 private:
  void write_examples(const char* name, int count, uint64_t seed) const {
    Draws draws{Random(seed)};
    std::string text = "label\ttext\n";
    for (int i = 0; i < count; ++i) {
      const auto label = static_cast<int>(draws.below(kClasses));
      const uint64_t length = 3 + draws.below(9), place = draws.below(length);
      text += "c" + std::to_string(label) + '\t';
      for (uint64_t t = 0; t < length; ++t)
        text += t == place ? character(kCharacters + label)
                           : character(static_cast<int>(draws.below(kCharacters)));
      text += '\n';
    }
    write_file(folder / name, text);
  }
};

}  // namespace ink
