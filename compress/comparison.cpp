// Models on the development examples of a distillation.
#include "compress/comparison.h"

#include <algorithm>

#include "compress/label_map.h"
#include "nn/session.h"
#include "tasks/latency.h"

namespace ink {
namespace {

constexpr int64_t kMostTimed = 256;
// At least three rounds, and of few or short examples as many as a second has.
constexpr int64_t kFewestRounds = 3, kMostRounds = 101;
constexpr double kTimedMilliseconds = 1000;

struct Candidate {
  std::unique_ptr<Session> session;
  TaskSet dev;
  std::vector<Packed> batches = {};  // of the examples that are timed
  int64_t timed = 0;
};

Candidate candidate_of(const DistillOptions& job, const Labels& labels,
                       const std::filesystem::path& folder) {
  auto session = std::make_unique<Session>(folder, LoadOptions{.heads = job.task->heads});
  const Tokenizer tokenizer = load_tokenizer(folder, session->model().config);
  TaskSet dev =
      job.task->read_both(job.data, &labels, job.fit.seed, {tokenizer, job.max_length}).second;
  Candidate candidate{.session = std::move(session), .dev = std::move(dev)};
  for (const std::vector<int64_t>& rows : candidate.dev.features->plan({})) {
    if (candidate.timed >= kMostTimed) break;
    candidate.batches.push_back(candidate.dev.features->batch(rows).inputs);
    candidate.timed += std::ssize(rows);
  }
  return candidate;
}

// Milliseconds of each model's quickest pass over its batches: on a busy machine short passes in
// turns may all meet what else runs there.
std::vector<double> measured(std::span<const std::function<void(int64_t)>> passes) {
  double once = 0;
  for (const double milliseconds : median_milliseconds(passes, 1, 1)) once += milliseconds;
  const auto rounds = static_cast<int64_t>(kTimedMilliseconds / std::max(once, 1e-3));
  std::vector<double> all;
  for (const Latency& l : latencies(passes, std::clamp(rounds, kFewestRounds, kMostRounds), 0))
    all.push_back(l.quickest);
  return all;
}

// That of the job on its own examples, fewer of which would end sooner.
void keep_pace(std::span<const int64_t> evaluations, FitOptions& fit) {
  const int64_t count = std::ssize(evaluations);
  fit.steps = evaluations.back();
  if (fit.evaluate_every == 0) fit.evaluate_every = (fit.steps + count - 1) / count;
}

}  // namespace

DistillOptions without_teacher(const DistillOptions& job, std::span<const int64_t> evaluations) {
  DistillOptions alone = job;
  alone.out = job.out / "alone";
  alone.other_teachers.clear();
  alone.teacher_weights.clear();
  alone.config = {.hard_label_weight = 1, .kd_loss_weight = 0};
  alone.config.kd_loss_type = job.config.kd_loss_type;
  alone.match_evenly = {};
  alone.teacher_cache = {};
  if (job.more.any()) keep_pace(evaluations, alone.fit);
  alone.more = {};
  alone.compare_alone = false;
  if (!alone.fit.event_folder.empty()) alone.fit.event_folder /= "alone";
  return alone;
}

std::vector<ComparedModel> compare_models(const DistillOptions& job,
                                          const std::vector<NamedModel>& models) {
  const Labels labels = labels_of_teacher(*job.task, job.teacher.string(),
                                          ModelConfig::read(job.teacher / "config.json"));
  std::vector<Candidate> candidates;
  std::vector<ComparedModel> compared;
  std::vector<std::function<void(int64_t)>> passes;
  const auto stopped = [&] { return job.fit.stop && *job.fit.stop; };
  candidates.reserve(models.size());
  for (const NamedModel& model : models)
    candidates.push_back(candidate_of(job, labels, model.folder));
  for (size_t i = 0; i < models.size(); ++i) {
    if (stopped()) return {};
    const Candidate& candidate = candidates[i];
    compared.push_back({.name = models[i].name,
                        .parameters = candidate.session->model().parameters.elements(),
                        .scores = candidate.dev.judge(candidate.session->model()).scores});
    passes.emplace_back([&candidate, &stopped](int64_t) {
      for (const Packed& batch : candidate.batches)
        if (!stopped()) candidate.session->logits(batch);
    });
  }
  const std::vector<double> milliseconds = measured(passes);
  if (stopped()) return {};
  for (size_t i = 0; i < models.size(); ++i)
    compared[i].sentences_per_second =
        1e3 * static_cast<double>(candidates[i].timed) / milliseconds[i];
  return compared;
}

}  // namespace ink
