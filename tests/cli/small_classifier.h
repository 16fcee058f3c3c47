// A classifier with random weights in the folder of the program's tests.
#pragma once
#include "nn/config.h"
#include "nn/model_folder.h"
#include "tensor/json.h"
#include "tests/cli/program.h"

namespace ink {

// Of two labels and the sizes of `files`/small.json, in `files`/teacher.
inline void save_small_classifier(const fs::path& files) {
  Json json = parse_json(read_file(files / "small.json", 1 << 20), "small.json");
  ModelConfig config = ModelConfig::from(json.set("vocab_size", 14));
  config.labels = {"bad", "good"};
  save_model(Model(config, {.classification = true}, random_values(Random(1))), files / "teacher");
  fs::copy_file(files / "vocab.txt", files / "teacher" / "vocab.txt");
}

}  // namespace ink
