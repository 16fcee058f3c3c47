// BERT-base on packed tokens: milliseconds of encoding and of masked-LM training steps.
//
//   encode                  a table of shapes
//   encode --serve          answers lines "infer 128 128 …" and "train 128 …" (lengths) with
//                           milliseconds; for comparisons that alternate between programs
//                           (bench/peers.py)
//   encode --host            on cuda: how long the host takes to ask for the same work, beside how
//                           long the device takes to do it; training also by replayed graphs
//   encode --kernels        in a CUDA build: where the device's time goes in steps of 32 × 128 and
//                           16 × 512 tokens
//   encode --peak-memory    resident megabytes with the model built, and at most during training
//                           steps of 8 × 128 tokens; on cuda the device's memory, 32 × 128 tokens
//
// With --device cuda --dtype f32|f16|bf16 on the CUDA device; times then end when it is done. With
// --dtype int8 encoding multiplies 8-bit integers (on cuda the rest is bf16), and nothing trains.
// --tune chooses the algorithms of products by timing them; --tf32 lets products of f32 on cuda
// cut their factors to 10 bits of mantissa.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>

#include "autograd/gradient_sum.h"
#include "autograd/optimizer.h"
#include "autograd/step_graphs.h"
#include "autograd/tape.h"
#include "nn/session.h"
#include "tensor/parallel.h"

#if INK_CUDA
#include "cuda/gemm.h"
#include "cuda/kernel_times.h"
#endif

namespace ink {
namespace {

// Waits for the device.
void finish() {
  if (working_place().device == Device::cuda) cuda_backend().synchronize();
}

ModelConfig base_config() {
  ModelConfig config;
  config.vocab_size = 21128;
  config.hidden_size = 768;
  config.set_layers(12, 12, 3072);
  return config;
}

// Weights of N(0, 0.02²)'s size from a short cycle, as time does not depend on them.
ValueSource cheap_values() {
  return [](const std::string&, const Shape& shape, const Initial& initial) {
    if (initial.kind != Initial::Kind::normal) {
      return full(shape, initial.kind == Initial::Kind::ones ? 1 : 0);
    }
    return converted(rand_uniform(shape, 1, -0.03, 0.03), Dtype::f32);
  };
}

Packed random_batch(const std::vector<int64_t>& lengths) {
  std::vector<int32_t> offsets = {0}, positions;
  for (const int64_t n : lengths) {
    for (int32_t i = 0; i < n; ++i) positions.push_back(i);
    offsets.push_back(static_cast<int32_t>(positions.size()));
  }
  const auto N = static_cast<int64_t>(positions.size());
  return {randint({N}, 1, 1, 21000), zeros({N}, Dtype::i32), from(positions), from(offsets)};
}

Model base_model(const Heads& heads) {
  Model model(base_config(), heads, cheap_values());
  model.move(working_place());
  return model;
}

class Trainer {
 public:
  explicit Trainer(bool graphs = false)
      : model_(base_config(), {.masked_lm = true}, cheap_values()), optimizer_(model_.parameters) {
    const Place place = training_place("encode");
    optimizer_.place(model_.parameters, place.device, place.dtype);
    if (!graphs) return;
    replayable_ = {.inputs = [this](int64_t) { return inputs_; },
                   .loss = [this](const MicroInputs& in,
                                  const Random& random) { return loss(in.tensors, random); }};
    graphs_ = std::make_unique<StepGraphs>(
        model_.parameters, optimizer_, replayable_, false,
        [](const std::string& notice) { std::fprintf(stderr, "%s\n", notice.c_str()); });
  }

  // Forward, backward, clipping and AdamW; 15 % of the tokens are predicted. The batch is a new one
  // for the device, as in a training.
  void step(const Packed& batch) {
    const int64_t N = batch.ids.dim(0), M = N * 15 / 100;
    std::vector<int32_t> rows;
    for (int64_t i = 0; i < M; ++i) rows.push_back(static_cast<int32_t>(i * N / M));
    inputs_ = {.tensors = {clone(batch.ids), clone(batch.segments), clone(batch.positions),
                           clone(batch.offsets), from(rows), randint({M}, 3, 1, 21000)},
               .structure = to_vector<int64_t>(converted(batch.offsets, Dtype::i64))};
    Learned learned = learn(Random(7).split(static_cast<uint64_t>(steps_++)));
    GradientSum sum(model_.parameters);
    sum.add(model_.parameters, std::move(learned.gradients));
    if (optimizer_.control()) {
      optimizer_.step(model_.parameters, sum.gradients(), {.learning_rate = 1e-5, .longest = 1},
                      std::array{learned.micro.loss});
    } else {
      const double norm = sum.norm(model_.parameters);
      optimizer_.step(model_.parameters, sum.gradients(), 1e-5, clip_factor(norm, 1));
    }
  }

 private:
  Learned learn(const Random& random) {
    if (graphs_) {
      if (std::optional<Learned> learned = graphs_->learn(steps_, random)) return *learned;
    }
    Tape tape;
    tape.watch(model_.parameters);
    Learned learned{loss(inputs_.tensors, random), {}};
    learned.gradients =
        tape.backward(learned.micro.loss, optimizer_.loss_scale(), model_.parameters);
    return learned;
  }
  // tensors: ids, segments, positions, offsets, rows, labels
  MicroLoss loss(const std::vector<Tensor>& tensors, const Random& random) const {
    const Packed batch{tensors[0], tensors[1], tensors[2], tensors[3]};
    const Encoded encoded = model_.body(batch, {.random = &random});
    return {.loss = model_.masked_lm->loss(encoded.hidden, tensors[4], tensors[5])};
  }

  Model model_;
  Optimizer optimizer_;
  int64_t steps_ = 0;
  MicroInputs inputs_;  // of this step
  ReplayableLoss replayable_;
  std::unique_ptr<StepGraphs> graphs_;
};

template <class F>
double milliseconds(F&& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

// Makes what is asked for when it is first asked for.
class Engine {
 public:
  double infer(const std::vector<int64_t>& lengths) {
    if (!session_) session_ = std::make_unique<Session>(base_model({.pooler = true}));
    const Packed batch = random_batch(lengths);
    return milliseconds([&] {
      const Encoded e = session_->encode(batch);
      session_->model().body.pool(e.hidden, batch.offsets);
      finish();
    });
  }
  double train(const std::vector<int64_t>& lengths) {
    if (!trainer_) trainer_ = std::make_unique<Trainer>();
    const Packed batch = random_batch(lengths);
    return milliseconds([&] {
      trainer_->step(batch);
      finish();
    });
  }

 private:
  std::unique_ptr<Session> session_;
  std::unique_ptr<Trainer> trainer_;
};

void serve() {
  Engine engine;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb;
    words >> verb;
    std::vector<int64_t> lengths;
    for (int64_t n = 0; words >> n;) lengths.push_back(n);
    check(!lengths.empty() && (verb == "infer" || verb == "train"),
          "expected 'infer LENGTHS' or 'train LENGTHS', got '", line, "'");
    std::printf("%.3f\n", verb == "infer" ? engine.infer(lengths) : engine.train(lengths));
    std::fflush(stdout);
  }
}

// Medians of the milliseconds until everything is asked for, and until it is done.
void print_host_times() {
  Trainer trainer;
  std::optional<Trainer> replayed;
  if (working_place().device == Device::cuda) replayed.emplace(true);
  Session session(base_model({}));
  std::printf("%-8s %-8s %9s %9s\n", "", "shape", "host ms", "all ms");
  const auto row = [&](const char* what, const char* shape, auto&& work) {
    std::vector<double> host, all;
    for (int i = 0; i < 12; ++i) {
      double asked = 0;
      all.push_back(milliseconds([&] {
        asked = milliseconds(work);
        finish();
      }));
      host.push_back(asked);
    }
    std::ranges::nth_element(host, host.begin() + 6);
    std::ranges::nth_element(all, all.begin() + 6);
    std::printf("%-8s %-8s %9.3f %9.3f\n", what, shape, host[6], all[6]);
  };
  for (const int64_t b : {1, 32}) {
    const Packed batch = random_batch(std::vector<int64_t>(static_cast<size_t>(b), 128));
    const std::string shape = std::to_string(b) + "x128";
    row("encode", shape.c_str(), [&] { session.encode(batch); });
    row("train", shape.c_str(), [&] { trainer.step(batch); });
    if (replayed) row("replay", shape.c_str(), [&] { replayed->step(batch); });
  }
}

#if INK_CUDA
void print_kernels() {
  Trainer trainer;
  const Session session(base_model({}));
  const Packed batch = random_batch(std::vector<int64_t>(32, 128)),
               longer = random_batch(std::vector<int64_t>(16, 512));
  const auto table = [&](const char* what, auto&& work) {
    for (int i = 0; i < 4; ++i) work();
    cuda::KernelTimes times;
    work();
    std::printf("%s\n%10s %6s\n", what, "µs", "calls");
    double sum = 0;
    for (const auto& line : times.lines()) {
      sum += line.microseconds;
      std::printf("%9.1f %6ld  %s\n", line.microseconds, line.count, line.name.c_str());
    }
    std::printf("%9.1f         together\n\n", sum);
  };
  table("encode 32x128", [&] { session.encode(batch); });
  table("train 32x128", [&] { trainer.step(batch); });
  table("train 16x512", [&] { trainer.step(longer); });
}
#endif

// A line of /proc/self/status in megabytes. (getrusage would count what the parent process held
// before it became this one.)
double status_megabytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key + ':')) return std::stod(line.substr(key.size() + 1)) / 1024;
  }
  fail("expected a line ", key, " in /proc/self/status");
}

// Megabytes in use on the device, and at most.
void print_device_memory() {
  constexpr double kMegabyte = 1 << 20;
  Trainer trainer;
  const auto built = static_cast<double>(cuda_backend().statistics().in_use);
  for (int i = 0; i < 3; ++i) trainer.step(random_batch(std::vector<int64_t>(32, 128)));
  const auto most = static_cast<double>(cuda_backend().statistics().peak);
  std::printf("%.0f %.0f\n", built / kMegabyte, most / kMegabyte);
}

void print_peak_memory() {
  if (working_place().device == Device::cuda) return print_device_memory();
  Trainer trainer;
  const double built = status_megabytes("VmRSS");
  for (int i = 0; i < 3; ++i) trainer.step(random_batch(std::vector<int64_t>(8, 128)));
  std::printf("%.0f %.0f\n", built, status_megabytes("VmHWM"));
}

void print_table() {
  Engine engine;
  std::printf("BERT-base %s, %d threads, fastest of 5, ms\n",
              working_place().int8 ? "int8" : name_of(working_place().dtype), threads());
  const auto row = [&](const char* name, int64_t batch, int64_t length, auto&& run) {
    double best = 1e300;
    for (int i = 0; i < 6; ++i)
      best = std::min(best, run(std::vector<int64_t>(static_cast<size_t>(batch), length)));
    std::printf("%-8s %3ld x %-4ld %9.1f\n", name, batch, length, best);
  };
  for (const auto& [b, t] : {std::pair{1, 16}, {1, 128}, {8, 128}, {1, 512}}) {
    row("encode", b, t, [&](const auto& lengths) { return engine.infer(lengths); });
  }
  if (working_place().int8) return;
  row("train", 8, 128, [&](const auto& lengths) { return engine.train(lengths); });
}

int run(const std::vector<std::string>& arguments) {
  std::string mode;
  Place place;
  bool tune = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--threads" && i + 1 < arguments.size()) {
      set_threads(std::stoi(arguments[++i]));
    } else if (arguments[i] == "--device" && i + 1 < arguments.size()) {
      place.device = device_from(arguments[++i]);
    } else if (arguments[i] == "--dtype" && i + 1 < arguments.size()) {
      place.int8 = arguments[++i] == "int8";
      if (!place.int8) place.dtype = dtype_from(arguments[i]);
    } else if (arguments[i] == "--tune") {
      tune = true;
#if INK_CUDA
    } else if (arguments[i] == "--tf32") {
      cuda::allow_tf32(true);
#endif
    } else {
      mode = arguments[i];
    }
  }
  if (place.int8 && place.device == Device::cuda) place.dtype = Dtype::bf16;
  set_working_place(place);
  if (tune) cuda_backend().tune(true);
  if (mode == "--serve") {
    serve();
  } else if (mode == "--host") {
    print_host_times();
#if INK_CUDA
  } else if (mode == "--kernels") {
    print_kernels();
#endif
  } else if (mode == "--peak-memory") {
    print_peak_memory();
  } else {
    check(mode.empty(), "expected --serve, --host, --peak-memory or nothing, got ", mode);
    print_table();
  }
  return 0;
}

}  // namespace
}  // namespace ink

int main(int argc, char** argv) {
  try {
    return ink::run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "encode: %s\n", error.what());
    return 1;
  }
}
