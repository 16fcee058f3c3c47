// Importance of the heads and neurons of BERT-base by labels, over 64 sentences of 128 tokens.
//
//   importance                 milliseconds a pass, the median of three, and resident megabytes
//   importance --serve         answers each line with the milliseconds of a pass; for comparisons
//                              that alternate between programs (bench/prune_peers.py)
//
// Further arguments: --batch N examples of a batch (32), --threads N.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>

#include "compress/scoring.h"
#include "tensor/op.h"
#include "tensor/parallel.h"

namespace ink {
namespace {

constexpr int64_t kSentences = 64, kTokens = 128;

// Weights of N(0, 0.02²)'s size from a short cycle, as time does not depend on them.
Model base_model() {
  ModelConfig config;
  config.vocab_size = 21128;
  config.hidden_size = 768;
  config.set_layers(12, 12, 3072);
  return Model(config, {.classification = true},
               [](const std::string&, const Shape& shape, const Initial& initial) {
                 if (initial.kind != Initial::Kind::normal)
                   return full(shape, initial.kind == Initial::Kind::ones ? 1 : 0);
                 return converted(rand_uniform(shape, 1, -0.03, 0.03), Dtype::f32);
               });
}

std::vector<FeatureBatch> sentences(int64_t batch_size) {
  std::vector<FeatureBatch> batches;
  for (int64_t first = 0; first < kSentences; first += batch_size) {
    const int64_t B = std::min(batch_size, kSentences - first);
    std::vector<std::vector<int32_t>> ids;
    std::vector<int64_t> rows;
    for (int64_t b = first; b < first + B; ++b) {
      ids.push_back(to_vector<int32_t>(randint({kTokens}, static_cast<uint64_t>(b), 1, 21000)));
      rows.push_back(b);
    }
    batches.push_back({pack(ids), randint({B}, static_cast<uint64_t>(first), 0, 2), rows});
  }
  return batches;
}

double milliseconds_of_a_pass(const Model& model, const std::vector<FeatureBatch>& batches) {
  const auto start = std::chrono::steady_clock::now();
  measure_importance(model, batches, {}, label_loss(classification_task(), batches));
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

// VmHWM of this process: what it has held at most.
double peak_megabytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  return 0;
}

int64_t number_after(int count, char** arguments, const char* name, int64_t otherwise) {
  for (int i = 1; i + 1 < count; ++i)
    if (std::string(arguments[i]) == name) return std::stoll(arguments[i + 1]);
  return otherwise;
}

void run(int count, char** arguments) {
  const int64_t threads = number_after(count, arguments, "--threads", 0);
  if (threads > 0) set_threads(static_cast<int>(threads));
  const Model model = base_model();
  const auto batches = sentences(number_after(count, arguments, "--batch", 32));
  if (count > 1 && std::string(arguments[1]) == "--serve") {
    for (std::string line; std::getline(std::cin, line);)
      std::cout << milliseconds_of_a_pass(model, batches) << ' ' << peak_megabytes() << std::endl;
    return;
  }
  std::array<double, 3> times{};
  for (double& time : times) time = milliseconds_of_a_pass(model, batches);
  std::ranges::sort(times);
  std::printf("importance of BERT-base, %ld x %ld tokens: %.0f ms, at most %.0f MB\n",
              static_cast<long>(kSentences), static_cast<long>(kTokens), times[1],
              peak_megabytes());
}

}  // namespace
}  // namespace ink

int main(int count, char** arguments) {
  try {
    ink::run(count, arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "importance: %s\n", error.what());
    return 1;
  }
}
