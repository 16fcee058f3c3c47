// Loading and judging teachers.
#include "compress/teachers.h"

#include <algorithm>
#include <string>

#include "autograd/tape.h"
#include "compress/distiller.h"
#include "tasks/score_text.h"

namespace ink {

Sessions load_teachers(const DistillSetup& setup, const Heads& heads) {
  Sessions sessions;
  for (size_t k = 0; k < setup.folders.size(); ++k) {
    const auto same = std::ranges::find(setup.folders, setup.folders[k]) - setup.folders.begin();
    sessions.push_back(
        static_cast<size_t>(same) < k
            ? sessions[static_cast<size_t>(same)]
            : std::make_shared<const Session>(setup.folders[k], LoadOptions{.heads = heads}));
  }
  return sessions;
}

namespace {

// An Error names the teacher.
Scores judged(const DistillSetup& setup, size_t k, const Model& teacher) {
  try {
    return setup.data[k].dev.teacher.judge(teacher).scores;
  } catch (const Error& error) {
    fail("distill: the teacher ", setup.folders[k].string(), ": ", error.message());
  }
}

}  // namespace

TeacherScores judge_teachers(const DistillSetup& setup, const Sessions& teachers) {
  TeacherScores scores;
  for (size_t k = 0; k < teachers.size(); ++k) {
    scores.each.push_back(judged(setup, k, teachers[k]->model()));
    scores.mean += scores.each.back().score / static_cast<double>(teachers.size());
  }
  if (teachers.size() == 1) return scores;
  const TaskSet& dev = setup.data.front().dev.student;
  const auto together = [&](const FeatureBatch& batch) {
    std::vector<ModelOutputs> said;
    for (size_t k = 0; k < teachers.size(); ++k)
      said.push_back(
          {.logits = dev.logits(teachers[k]->model(), setup.data[k].dev.for_teacher(batch), {}),
           .hidden = {}});
    return mean_logits(said, setup.weights);
  };
  scores.ensemble = dev.judge_logits(together).scores;
  return scores;
}

std::vector<std::string> doubts_about(const DistillSetup& setup, const Task& task,
                                      const TeacherScores& scores) {
  const Trivial trivial = task.trivial(setup.data.front().dev.student);
  std::vector<std::string> doubts;
  for (size_t k = 0; k < scores.each.size(); ++k) {
    if (setup.weights[k] == 0 || scores.each[k].score > trivial.score) continue;
    doubts.push_back("the teacher " + setup.folders[k].string() + " scores " +
                     score_text(task.judged_by, scores.each[k].score) +
                     " on the development examples, no better than saying " + trivial.says + " (" +
                     score_text(task.judged_by, trivial.score) +
                     "); a student learns its mistakes. Check that the teacher was trained for " +
                     (task.heads.classification ? "these labels, and --columns" : "such examples"));
  }
  return doubts;
}

}  // namespace ink
