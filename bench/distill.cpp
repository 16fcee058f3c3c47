// A step of distilling BERT-base into T3: KD at temperature 8, L3_hidden_mse and L3_hidden_smmd,
// with AdamW and clipping, beside the step that trains the student alone.
//
//   distill                 milliseconds of steps of 8 x 128 tokens and of 8 sentences, medians of
//                           rounds in which each kind is run once
//   distill --serve         answers lines "live 128 128 …" (a kind of step, and lengths) with
//                           milliseconds; for comparisons that alternate between programs
//                           (bench/distill_peers.py)
//
//   alone   the student's own step, from labels; cached, cached_bf16: the teacher's outputs are on
//   disk (compress/teacher_cache.h); live: the teacher is run
//
// Further arguments: --rounds N (15), --threads N.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <sstream>

#include "autograd/gradient_sum.h"
#include "autograd/optimizer.h"
#include "autograd/tape.h"
#include "compress/students.h"
#include "compress/teacher.h"
#include "compress/teacher_cache.h"
#include "tensor/parallel.h"
#include "tensor/temporary_folder.h"

namespace ink {
namespace {

constexpr int64_t kBatch = 8;

ModelConfig base_config() {
  ModelConfig config;
  config.vocab_size = 21128;
  config.hidden_size = 768;
  config.labels = {"a", "b", "c"};
  config.set_layers(12, 12, 3072);
  return config;
}

ModelConfig small_config() {
  ModelConfig config = student_config(student_preset("T3"), base_config());
  config.labels = base_config().labels;
  return config;
}

// Weights of N(0, 0.02²)'s size from a short cycle, as time does not depend on them.
Model model_of(const ModelConfig& config) {
  return Model(config, {.classification = true},
               [](const std::string&, const Shape& shape, const Initial& initial) {
                 if (initial.kind != Initial::Kind::normal)
                   return full(shape, initial.kind == Initial::Kind::ones ? 1 : 0);
                 return converted(rand_uniform(shape, 1, -0.03, 0.03), Dtype::f32);
               });
}

DistillationConfig job() {
  DistillationConfig config{.temperature = 8,
                            .intermediate_matches = match_preset("L3_hidden_mse")};
  for (const IntermediateMatch& match : match_preset("L3_hidden_smmd"))
    config.intermediate_matches.push_back(match);
  return config;
}

Features features_of(const std::vector<int64_t>& lengths) {
  std::vector<Feature> items;
  for (const int64_t length : lengths) {
    Feature item;
    item.encoding.ids = to_vector<int32_t>(randint({length}, items.size(), 1, 21000));
    item.encoding.segments.assign(static_cast<size_t>(length), 0);
    item.targets = {static_cast<int32_t>(items.size() % 3)};
    items.push_back(std::move(item));
  }
  return Features(std::move(items));
}

// The examples of one list of lengths, and what the teacher says about them on disk.
struct Examples {
  Features features;
  TeacherCache cache, half;
  std::vector<std::vector<int64_t>> batches = {};
};

class Steps {
 public:
  double milliseconds(const std::string& kind, const std::vector<int64_t>& lengths) {
    const Examples& examples = examples_of(lengths);
    const auto start = std::chrono::steady_clock::now();
    for (const std::vector<int64_t>& rows : examples.batches) step(kind, examples, rows);
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
        .count();
  }

 private:
  const Examples& examples_of(const std::vector<int64_t>& lengths) {
    if (const auto known = all_.find(lengths); known != all_.end()) return known->second;
    const Features features = features_of(lengths);
    const CacheSource source{
        .features = features,
        .fields = cached_fields(teacher_.config, config_),
        .outputs = [&](const Packed& batch) { return outputs_of(teacher_, batch, {}, config_); },
        .heads = teacher_.config.heads_per_layer};
    const auto folder = [&](const char* type) {
      return folder_.path() / (std::to_string(all_.size()) + type);
    };
    Examples made{.features = features,
                  .cache = TeacherCache({.folder = folder("f32")}, source),
                  .half = TeacherCache({.folder = folder("bf16"), .dtype = Dtype::bf16}, source)};
    for (int64_t first = 0; first < features.size(); first += kBatch) {
      std::vector<int64_t> rows;
      for (int64_t i = first; i < std::min(first + kBatch, features.size()); ++i) rows.push_back(i);
      made.batches.push_back(std::move(rows));
    }
    return all_.emplace(lengths, std::move(made)).first->second;
  }

  ModelOutputs wanted(const std::string& kind, const Examples& examples,
                      const FeatureBatch& batch) {
    const Pause pause;
    if (kind == "cached") return examples.cache.outputs(batch.rows);
    if (kind == "cached_bf16") return examples.half.outputs(batch.rows);
    return outputs_of(teacher_, batch.inputs, {}, config_);
  }

  void step(const std::string& kind, const Examples& examples, const std::vector<int64_t>& rows) {
    const FeatureBatch batch = examples.features.batch(rows);
    const Random random = Random(7).split(static_cast<uint64_t>(steps_++));
    GradientSum sum(student_.parameters);
    Tape tape;
    tape.watch(student_.parameters);
    Tensor total;
    if (kind == "alone") {
      total = classification_task().loss(student_, batch, {.random = &random}).loss;
    } else {
      const ModelOutputs said = wanted(kind, examples, batch);
      total = loss_(outputs_of(student_, batch.inputs, {.random = &random}, config_), said,
                    {.labels = batch.labels, .offsets = batch.inputs.offsets}, 1, 10)
                  .total;
    }
    Gradients gradients = tape.backward(total);
    sum.add(student_.parameters, gradients);
    const double norm = sum.norm(student_.parameters);
    optimizer_.step(student_.parameters, sum.gradients(), 1e-5, clip_factor(norm, 1));
  }

  DistillationConfig config_ = job();
  Session session_{model_of(base_config())};
  const Model& teacher_ = session_.model();
  Model student_ = model_of(small_config());
  DistillationLoss loss_{config_, Scope(student_.parameters, random_values(Random(1)))};
  Optimizer optimizer_{student_.parameters};
  int64_t steps_ = 0;
  TemporaryFolder folder_;
  std::map<std::vector<int64_t>, Examples> all_;
};

void serve() {
  Steps steps;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    std::vector<int64_t> lengths;
    for (int64_t n = 0; words >> n;) lengths.push_back(n);
    check(!lengths.empty(), "expected a kind of step and lengths, got '", line, "'");
    std::printf("%.3f\n", steps.milliseconds(kind, lengths));
    std::fflush(stdout);
  }
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void print_table(int64_t rounds) {
  Steps steps;
  const std::vector<std::string> kinds = {"alone", "cached", "cached_bf16", "live"};
  std::printf("%-34s %9s %9s %12s %9s\n", "BERT-base to T3, ms a step", "alone", "cached",
              "cached_bf16", "live");
  const auto row = [&](const char* name, const std::vector<int64_t>& lengths) {
    std::vector<std::vector<double>> times(kinds.size()), ratios(kinds.size());
    for (int64_t round = -1; round < rounds; ++round) {  // the first does not count
      for (size_t k = 0; k < kinds.size(); ++k) {
        const double time = steps.milliseconds(kinds[k], lengths);
        if (round < 0) continue;
        times[k].push_back(time);
        ratios[k].push_back(time / times[0].back());
      }
    }
    std::printf("%-34s %9.1f %9.1f %12.1f %9.1f\n", name, median(times[0]), median(times[1]),
                median(times[2]), median(times[3]));
    std::printf("%-34s %9.3f %9.3f %12.3f %9.3f\n", "  of the step alone, medians of rounds",
                median(ratios[0]), median(ratios[1]), median(ratios[2]), median(ratios[3]));
  };
  row("8 x 128", std::vector<int64_t>(kBatch, 128));
  row("8 sentences, 329 tokens", {9, 17, 23, 31, 12, 64, 45, 128});
}

int64_t number_after(int count, char** arguments, const char* name, int64_t otherwise) {
  for (int i = 1; i + 1 < count; ++i)
    if (std::string(arguments[i]) == name) return std::stoll(arguments[i + 1]);
  return otherwise;
}

}  // namespace
}  // namespace ink

int main(int count, char** arguments) {
  try {
    const int64_t threads = ink::number_after(count, arguments, "--threads", 0);
    if (threads > 0) ink::set_threads(static_cast<int>(threads));
    if (count > 1 && std::string(arguments[1]) == "--serve")
      ink::serve();
    else
      ink::print_table(ink::number_after(count, arguments, "--rounds", 15));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "distill: %s\n", error.what());
    return 1;
  }
}
