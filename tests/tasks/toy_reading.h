// Reading that must be learned: the question is a key character, the answer where it stands.
#pragma once
#include "tensor/json.h"
#include "tests/tasks/toy_task.h"

namespace ink {

// A ToyTask whose examples are train.json and dev.json. Both key characters are in every context.
struct ToyReading : ToyTask {
  explicit ToyReading(const std::string& name) : ToyTask(name) {
    write_questions("train.json", 400, 1);
    write_questions("dev.json", 80, 2);
  }

  FinetuneOptions options(const std::string& out) const {
    FinetuneOptions o = ToyTask::options(out);
    o.task = &reading_task();
    o.data.train = folder / "train.json";
    o.data.dev = folder / "dev.json";
    o.fit.epochs = 8;
    return o;
  }

 private:
  void write_questions(const char* name, int count, uint64_t seed) const {
    Draws draws{Random(seed)};
    Json paragraphs = Json::make_array();
    for (int i = 0; i < count; ++i) {
      const auto asked = static_cast<int>(draws.below(2));
      const uint64_t length = 5 + draws.below(5), first = draws.below(length),
                     second = (first + 1 + draws.below(length - 1)) % length;
      std::string context;
      for (uint64_t t = 0; t < length; ++t)
        context += character(t == first    ? kCharacters + asked
                             : t == second ? kCharacters + 1 - asked
                                           : static_cast<int>(draws.below(kCharacters)));
      const Json answer =
          Json::make_object({{"text", character(kCharacters + asked)}, {"answer_start", first}});
      const Json question = Json::make_object({{"id", std::to_string(i)},
                                               {"question", character(kCharacters + asked)},
                                               {"answers", Json::make_array({answer})}});
      paragraphs.append(
          Json::make_object({{"context", context}, {"qas", Json::make_array({question})}}));
    }
    const Json article = Json::make_object({{"paragraphs", paragraphs}});
    write_file(folder / name,
               Json::make_object({{"data", Json::make_array({article})}}).to_string());
  }
};

}  // namespace ink
