// Sizes, label maps, tokens and data of all models of a distillation.
#include "compress/distill_setup.h"

#include <algorithm>

#include "compress/distiller.h"
#include "compress/label_map.h"
#include "compress/layer_map.h"
#include "compress/loss_of_task.h"
#include "compress/result_folder.h"
#include "compress/teacher.h"
#include "tensor/error.h"

namespace ink {
namespace {

namespace fs = std::filesystem;

// With the first teacher of weight above 0.
DistillationConfig settled_config(const DistillOptions& options, const ModelConfig& teacher,
                                  const ModelConfig& student) {
  DistillationConfig config = options.config;
  if (options.match_evenly)
    match_evenly(config, *options.match_evenly, layer_map(options.layer_map), match_size(teacher),
                 match_size(student));
  check(!config.is_caching_logits || !config.has_matches(),
        "distill: is_caching_logits keeps logits alone; expected no intermediate matches");
  check(!config.is_caching_logits || options.teacher_cache.folder.empty(),
        "distill: is_caching_logits keeps logits in memory, teacher_cache on disk; expected one");
  check(options.teacher_cache.top_k == 0 ||
            (config.kd_loss_type != KdLoss::bce && !options.task->heads.span),
        "distill: top_k keeps what a distribution over classes needs, which several labels and "
        "starts and ends of answers have not; expected top_k 0 in teacher_cache");
  const bool taught = config.asks_teachers();
  check(taught || !options.more.any(),
        "distill: nothing but true labels is learnt, which further texts and copies have not; "
        "expected kd_loss_weight above 0 or a match, or no unlabelled and no augmentation");
  check(taught || !options.compare_alone,
        "distill: nothing but true labels is learnt, as by the student alone; expected "
        "kd_loss_weight above 0 or a match, or compare_alone false");
  check_kd_loss(config, *options.task);
  check_recompute(config, options.fit.recompute);
  check_learns(config);
  check(options.fit.early_stop == 0 || !config.learns_layers_alone(),
        "distill: layers alone are learnt, of which the task's score says nothing, and the latest "
        "student is kept; expected no early_stop, or kd_loss_weight or hard_label_weight above 0");
  config.settle(match_size(teacher), match_size(student));
  return config;
}

Labels labels_of_all(const DistillOptions& options, const DistillSetup& setup) {
  const auto name = [&](size_t k) { return "the teacher " + setup.folders[k].string(); };
  Labels labels;
  for (size_t k = 0; k < setup.teachers.size(); ++k) {
    const Labels its =
        labels_of_teacher(*options.task, setup.folders[k].string(), setup.teachers[k]);
    if (k == 0) labels = its;
    check_same_labels(name(k), its, name(0), labels);
  }
  check_labels_of_student(options.student.folder, *options.task, name(0), labels);
  return labels;
}

// What is said of tokens is compared token by token.
void check_same_tokens(const DistillOptions& options, const DistillSetup& setup) {
  const bool about_tokens = options.task->heads.tagging || options.task->heads.span;
  if (!about_tokens && !setup.config.has_matches()) return;
  for (size_t k = 0; k < setup.data.size(); ++k) {
    if (setup.weights[k] == 0) continue;
    const std::string which =
        setup.data.size() > 1 ? ' ' + setup.folders[k].string() : std::string();
    check(setup.data[k].train.shared(), "", "distill: teacher", which,
          " and student cut texts into different tokens, each with its own tokenizer; there is "
          "nothing to compare token by token: expected ",
          about_tokens ? "a student with the tokenizer of its teacher, as the task is about tokens"
                       : "no intermediate matches, only kd_loss and hard labels");
  }
}

}  // namespace

void check_folders(const DistillOptions& options, const DistillSetup& setup) {
  check_student_folder(setup.folders, options.out, options.fit.resume);
  if (options.compare_alone) check_unused("distill", options.out / "alone", options.fit.resume);
}

bool maps_by_flow(const DistillOptions& options) {
  return options.match_evenly && options.layer_map == "emd";
}

void check_sizes(const DistillSetup& setup) {
  const size_t first = setup.leading;
  for (size_t k = first; k < setup.teachers.size(); ++k) {
    if (setup.weights[k] == 0) continue;
    check(setup.config.emd.empty() || setup.teachers[k].layers() == setup.teachers[first].layers(),
          "distill: emd carries weights to the layers of every teacher; expected teachers with as "
          "many layers, got ",
          setup.teachers[first].layers(), " in ", setup.folders[first].string(), " and ",
          setup.teachers[k].layers(), " in ", setup.folders[k].string());
    try {
      DistillationConfig(setup.config)
          .settle(match_size(setup.teachers[k]), match_size(setup.student));
    } catch (const Error& error) {
      fail("", error.message(), " (with the teacher ", setup.folders[k].string(),
           "; every match is made with each teacher)");
    }
  }
}

DistillSetup set_up(const DistillOptions& options) {
  check(!options.more.any() || options.task->heads.classification,
        "distill: unlabelled texts and changed copies are not for the task ", options.task->name,
        ", as nothing says which of their tokens to compare; expected a task about whole texts, or "
        "neither");
  std::error_code none;
  check(options.more.unlabelled.empty() ||
            !fs::equivalent(options.more.unlabelled, options.data.train, none),
        "distill: unlabelled: ", options.more.unlabelled.string(),
        " is the file of the labelled examples; expected one of texts alone, one a line");
  std::vector<fs::path> folders = {options.teacher};
  folders.insert(folders.end(), options.other_teachers.begin(), options.other_teachers.end());
  std::vector<ModelConfig> teachers;
  std::vector<Reader> readers;
  teachers.reserve(folders.size());
  for (const fs::path& folder : folders)
    teachers.push_back(ModelConfig::read(folder / "config.json"));
  for (size_t k = 0; k < folders.size(); ++k) readers.push_back({folders[k], teachers[k]});
  ModelConfig student = config_of_student(options.student, teachers.front());
  StudentTokens tokens = student_tokens(options.student.folder, student, readers.front());
  DistillSetup setup{.folders = folders,
                     .teachers = teachers,
                     .weights = normalised_weights(options.teacher_weights, folders.size()),
                     .student = std::move(student),
                     .labels = {},
                     .config = {},
                     .tokens = std::move(tokens),
                     .data = {}};
  setup.leading = static_cast<size_t>(
      std::ranges::find_if(setup.weights, [](double w) { return w > 0; }) - setup.weights.begin());
  setup.labels = labels_of_all(options, setup);
  setup.config = settled_config(options, setup.teachers[setup.leading], setup.student);
  if (!maps_by_flow(options)) check_sizes(setup);
  for (const ModelConfig& teacher : teachers) check_length(teacher, options.max_length);
  check_length(setup.student, options.max_length);
  setup.data = readings_of({.task = *options.task,
                            .data = options.data,
                            .labels = setup.labels,
                            .seed = options.fit.seed,
                            .max_length = options.max_length,
                            .more = options.more},
                           setup.tokens, readers);
  check_same_tokens(options, setup);
  return setup;
}

}  // namespace ink
