// Keys of jobs, by what they are on; students, losses and maps.
#include "compress/distill_keys.h"

#include <algorithm>

#include "compress/layer_map.h"
#include "compress/loss_presets.h"
#include "compress/students.h"
#include "compress/teacher.h"
#include "tasks/architecture.h"
#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {
namespace {

std::string_view in_words(DistillKind kind) {
  constexpr std::string_view kNames[] = {"one task", "several tasks", "plain text"};
  return kNames[static_cast<size_t>(kind)];
}

std::string in_words(const std::vector<DistillKind>& kinds) {
  std::vector<std::string_view> names;
  names.reserve(kinds.size());
  for (const DistillKind kind : kinds) names.push_back(in_words(kind));
  return alternatives(names);
}

std::vector<int64_t> read_layers(const Json& list) {
  std::vector<int64_t> layers;
  for (size_t i = 0; i < list.size(); ++i) layers.push_back(list.integer_between(i, 0, 1 << 20));
  return layers;
}

TeacherInit read_init(const Json& student) {
  using From = TeacherInit::From;
  const Json& value = student["init_from_teacher"];
  if (value.is_string()) {
    constexpr From kinds[] = {From::nothing, From::embeddings, From::uniform, From::first,
                              From::last};
    return {.from = kinds[choice(student, "init_from_teacher",
                                 {"none", "embeddings", "uniform", "first", "last"})]};
  }
  return {.from = From::listed, .layers = read_layers(student.array("init_from_teacher"))};
}

StudentOptions read_student(const Json& job, const std::filesystem::path& teacher) {
  const Json& student = job["student"];
  StudentOptions options;
  if (student.is_string()) {
    options.folder = student.as_string();
    return options;
  }
  check_keys(job.object("student"),
             {"architecture", "preset", "init_from_teacher", "layers_from_teacher"});
  if (student.has("architecture"))
    options.architecture = read_architecture(student.string("architecture"),
                                             ModelConfig::read(teacher / "config.json").vocab_size);
  if (student.has("preset")) options.preset = student_preset(student.string("preset")).name;
  if (student.has("init_from_teacher")) options.init_from_teacher = read_init(student);
  if (student.has("layers_from_teacher"))
    options.layers_from_teacher = read_layers(student.array("layers_from_teacher"));
  return options;
}

DistillationConfig preset_of(const Json& job, const DistillKeys& keys,
                             const std::filesystem::path& folder) {
  if (!job.has("loss_preset")) return {};
  check(!keys.match_evenly, "", job.where("match_evenly"),
        ": a loss_preset says itself which layers are compared; expected one of the two");
  check(keys.layer_map != "emd", "", job.where("layer_map"),
        ": a loss_preset goes by a fixed map; expected uniform or last");
  const ModelConfig teacher = ModelConfig::read(folder / "config.json");
  return loss_preset(job.string("loss_preset"), layer_map(keys.layer_map), match_size(teacher),
                     match_size(config_of_student(keys.student, teacher)));
}

}  // namespace

void check_keys(const Json& object, DistillKind kind, std::span<const KeyOfKinds> all,
                const char* instead) {
  std::vector<std::string_view> known;
  for (const KeyOfKinds& key : all) {
    const bool fits = std::ranges::find(key.kinds, kind) != key.kinds.end();
    if (fits) known.push_back(key.name);
    check(fits || !object.has(key.name), "", object.where(key.name), ": is a key of jobs on ",
          in_words(key.kinds), "; this one is on ", in_words(kind), instead);
  }
  check_keys(object, known);
}

void check_job_keys(const Json& job, DistillKind kind) {
  using enum DistillKind;
  static const std::vector<KeyOfKinds> all = {{"teacher", {task, text}},
                                              {"teacher_weights", {task}},
                                              {"student", {task, tasks, text}},
                                              {"task", {task}},
                                              {"train", {task}},
                                              {"dev", {task}},
                                              {"columns", {task}},
                                              {"tasks", {tasks}},
                                              {"tau", {tasks}},
                                              {"num_steps", {tasks}},
                                              {"evaluate_every", {tasks}},
                                              {"max_length", {task, tasks}},
                                              {"loss_preset", {task, text}},
                                              {"match_evenly", {task, text}},
                                              {"layer_map", {task, text}},
                                              {"teacher_cache", {task}},
                                              {"unlabelled", {task}},
                                              {"augmentation", {task}},
                                              {"compare_alone", {task}},
                                              {"TrainingConfig", {task, tasks, text}},
                                              {"DistillationConfig", {task, tasks, text}}};
  check(kind != task || !job.has("num_steps"), "", job.where("num_steps"),
        ": stands here only beside tasks; of one task it is a key of TrainingConfig");
  check_keys(job, kind, all);
}

std::vector<std::filesystem::path> teachers_in(const Json& job) {
  if (!job["teacher"].is_array()) return {job.string("teacher")};
  const Json& list = job.array("teacher");
  check(list.size() > 0, "", job.where("teacher"), ": expected a teacher, got an empty list");
  std::vector<std::filesystem::path> folders;
  for (size_t k = 0; k < list.size(); ++k) folders.emplace_back(list.string(k));
  return folders;
}

const Task& task_in(const Json& json) {
  const std::string& name = json.string("task");
  try {
    return task_named(name);
  } catch (const Error& error) {
    fail("", json.where(), ": ", error.message());
  }
}

DistillKeys read_distill_keys(const Json& job, const std::filesystem::path& teacher) {
  DistillKeys keys;
  keys.student = read_student(job, teacher);
  if (job.has("match_evenly"))
    keys.match_evenly = choice(job, "match_evenly", {"hidden_mse", "cos"}) == 0
                            ? MatchLoss::hidden_mse
                            : MatchLoss::cos;
  keys.layer_map = layer_map(job.string("layer_map", keys.layer_map)).name;
  check(!job.has("layer_map") || keys.match_evenly || job.has("loss_preset") ||
            job.string("layer_map") == "uniform",
        "", job.where("layer_map"),
        ": a map says which layers match_evenly or a loss_preset compares; expected one of these "
        "beside it");
  keys.config = preset_of(job, keys, teacher);
  if (job.has("DistillationConfig"))
    keys.config = DistillationConfig::from_json(job.object("DistillationConfig"), keys.config);
  return keys;
}

}  // namespace ink
