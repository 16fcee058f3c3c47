// Tagging that must be learned: key characters begin entities, and their successors end them.
#pragma once
#include "tests/tasks/toy_task.h"

namespace ink {

// A ToyTask whose examples are train.txt and dev.txt, tagged sentences. Key characters 24 and 25
// are entities of a type each; the character behind one belongs to it.
struct ToyTagging : ToyTask {
  explicit ToyTagging(const std::string& name) : ToyTask(name) {
    write_sentences("train.txt", 400, 1);
    write_sentences("dev.txt", 80, 2);
  }

  FinetuneOptions options(const std::string& out) const {
    FinetuneOptions o = ToyTask::options(out);
    o.task = &tagging_task();
    o.data.train = folder / "train.txt";
    o.data.dev = folder / "dev.txt";
    return o;
  }

 private:
  void write_sentences(const char* name, int count, uint64_t seed) const {
    Draws draws{Random(seed)};
    std::string text;
    const auto line = [&](int of, const std::string& tag) {
      text += character(of) + ' ' + tag + '\n';
    };
    for (int i = 0; i < count; ++i) {
      for (uint64_t parts = 1 + draws.below(4); parts > 0; --parts) {
        const auto kind = static_cast<int>(draws.below(3));
        if (kind < 2) line(kCharacters + kind, kind ? "B-LOC" : "B-PER");
        line(static_cast<int>(draws.below(kCharacters)), kind == 2 ? "O"
                                                         : kind    ? "I-LOC"
                                                                   : "I-PER");
      }
      text += '\n';
    }
    write_file(folder / name, text);
  }
};

}  // namespace ink
