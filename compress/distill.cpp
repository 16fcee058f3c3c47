// Teacher and student over the one training loop.
#include "compress/distill.h"

#include "compress/label_map.h"
#include "compress/layer_map.h"
#include "compress/reading.h"
#include "compress/teacher.h"
#include "compress/values.h"
#include "nn/fingerprint.h"
#include "nn/parameter_count.h"
#include "tasks/save_folder.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/fingerprint.h"
#include "tensor/ops.h"

namespace ink {
namespace {

DistillationConfig settled_config(const DistillOptions& options, const ModelConfig& teacher,
                                  const ModelConfig& student) {
  DistillationConfig config = options.config;
  if (options.match_evenly) {
    check(config.intermediate_matches.empty(),
          "distill: expected either even matches or a list of them, got both");
    config.intermediate_matches = mapped_matches(layer_map(options.layer_map), match_size(teacher),
                                                 match_size(student), *options.match_evenly);
  }
  check(!config.is_caching_logits || config.intermediate_matches.empty(),
        "distill: is_caching_logits keeps logits alone; expected no intermediate matches");
  check(!config.is_caching_logits || options.teacher_cache.folder.empty(),
        "distill: is_caching_logits keeps logits in memory, teacher_cache on disk; expected one");
  check(!options.fit.recompute || !config.matches_attention(),
        "distill: recomputed layers keep no attention to match; expected recompute off, or matches "
        "of hidden states alone");
  check_matches(config.intermediate_matches, match_size(teacher), match_size(student));
  return config;
}

// What is said of tokens is compared token by token.
void check_same_tokens(const DistillOptions& options, const DistillationConfig& config,
                       const Reading& train) {
  const bool compares = options.task->heads.tagging || !config.intermediate_matches.empty();
  check(train.shared() || !compares,
        "distill: teacher and student cut texts into different tokens, each with its own "
        "tokenizer; there is nothing to compare token by token: expected ",
        options.task->heads.tagging ? "a student with the tokenizer of its teacher, as the task "
                                      "is about tokens"
                                    : "no intermediate matches, only kd_loss and hard labels");
}

// A student that does the task already keeps its head, so its labels must be the teacher's.
void check_labels_of_student(const DistillOptions& options, const Labels& of_teacher) {
  const std::filesystem::path& folder = options.student.folder;
  if (folder.empty()) return;
  const ModelConfig config = ModelConfig::read(folder / "config.json");
  const Heads own = heads_from(*config.family, config.architectures);
  const Heads& wanted = options.task->heads;
  if (!(own.classification && wanted.classification) && !(own.tagging && wanted.tagging)) return;
  const Labels its = config.labels.empty() ? Labels({"LABEL_0", "LABEL_1"}) : Labels(config.labels);
  check_same_labels("the student " + folder.string(), its,
                    "the teacher " + options.teacher.string(), of_teacher);
}

// All that is known before any weight is made.
struct Prepared {
  Labels labels;
  DistillationConfig config;
  StudentTokens tokens;
  Readings data;
};

Prepared prepare(const DistillOptions& options, const ModelConfig& teacher,
                 const ModelConfig& student) {
  check(!options.more.any() || !options.task->heads.tagging,
        "distill: unlabelled texts and changed copies have no tags, so nothing says which of their "
        "tokens to compare; expected a task about whole texts, or neither");
  const Labels labels = labels_of_teacher(*options.task, options.teacher.string(), teacher);
  check_labels_of_student(options, labels);
  DistillationConfig config = settled_config(options, teacher, student);
  check_length(teacher, options.max_length);
  check_length(student, options.max_length);
  const Reader reader{options.teacher, teacher};
  StudentTokens tokens = student_tokens(options.student.folder, student, reader);
  Readings data = readings_of({.task = *options.task,
                               .data = options.data,
                               .labels = labels,
                               .seed = options.fit.seed,
                               .max_length = options.max_length,
                               .more = options.more},
                              tokens, {reader})
                      .front();
  check_same_tokens(options, config, data.train);
  return {labels, std::move(config), std::move(tokens), std::move(data)};
}

// The rows of a batch whose logits are compared: of tokens those with a tag (TextBrewer's
// logits_mask), of texts all, with kIgnore for a label of those that the teacher alone labels.
struct Labelled {
  Tensor rows;  // i32, undefined: all
  Tensor labels;
  double count = 0;
  Tensor of(const Tensor& logits) const { return rows ? gather_rows(logits, rows) : logits; }
};

Labelled labelled(const FeatureBatch& batch, const Task& task) {
  if (!task.heads.tagging) return {{}, batch.labels, static_cast<double>(batch.rows.size())};
  const auto all = to_vector<int32_t>(batch.labels);
  std::vector<int32_t> rows, labels;
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i] == kIgnore) continue;
    rows.push_back(static_cast<int32_t>(i));
    labels.push_back(all[i]);
  }
  const auto count = static_cast<double>(rows.size());
  if (rows.size() == all.size()) return {{}, batch.labels, count};
  return {from(rows), from(labels), count};
}

std::string digest_of(const std::filesystem::path& file) {
  return Digest().add(MappedFile::open(file)->text()).to_string();
}

}  // namespace

DistillResult distill(const DistillOptions& options, const TaskHooks& hooks) {
  check_other_folder("distill", options.teacher, options.out);
  check_no_model("distill", options.out, true);
  const ModelConfig teacher_config = ModelConfig::read(options.teacher / "config.json");
  const Prepared prepared =
      prepare(options, teacher_config, config_of_student(options.student, teacher_config));
  const DistillationConfig& config = prepared.config;
  const Readings& data = prepared.data;
  auto session =
      std::make_shared<const Session>(options.teacher, LoadOptions{.heads = options.task->heads});
  Model student =
      make_student(options.student, session->model(), Random(options.fit.seed).split("weights"));
  student.parameters.own();
  Scores teacher_scores = data.dev.teacher.judge(session->model()).scores;
  const std::string weights = digest_of(options.teacher / "model.safetensors");
  const Teacher teacher(
      std::move(session), data.train, config,
      {.options = options.teacher_cache,
       .made_by = Json::make_object(
           {{"weights", weights}, {"architecture", fingerprint_of(teacher_config)}}),
       .notice = hooks.notice,
       .stop = options.fit.stop});
  const DistillationLoss loss(
      config,
      Scope(student.parameters, random_values(Random(options.fit.seed).split("projections"))));

  FitHooks fit_hooks;
  fit_hooks.fingerprint =
      fingerprint_of("distill", student.config, prepared.tokens.tokenizer, options.max_length);
  fit_hooks.fingerprint.set("teacher", weights)
      .set("distillation", config.to_json())
      .set("task", options.task->name);
  // A cache with all of them in f32 gives the bits that the teacher itself would.
  fit_hooks.fingerprint.set("teacher_outputs",
                            Json::make_object({{"dtype", name_of(options.teacher_cache.dtype)},
                                               {"top_k", options.teacher_cache.top_k}}));
  if (!data.train.shared())
    fit_hooks.fingerprint.set("teacher_reads", data.train.teacher.features->digest());
  fit_hooks.loss = [&](const FeatureBatch& batch, const Random& random, int64_t step,
                       int64_t steps) -> MicroLoss {
    const Labelled known = labelled(batch, *options.task);
    ModelOutputs wanted = teacher.outputs(batch);
    ModelOutputs got =
        outputs_of(student, batch.inputs, training_options(options.fit, random), config);
    wanted.logits = known.of(wanted.logits);
    got.logits = known.of(got.logits);
    DistillationLoss::Result result =
        loss(got, wanted, known.labels, batch.inputs.offsets, step, steps);
    return {.loss = result.total,
            .weight = known.count,
            .tokens = batch.inputs.tokens(),
            .measures = std::move(result.parts)};
  };
  fit_hooks.keep_best = [&](int64_t, const Evaluation&) {
    const Model without_projections(student.config, student.heads, values_of(student.parameters));
    save_folder(without_projections, options.out, prepared.tokens.from);
  };
  return {.student = fit_task(student, data.train.student, data.dev.student, options.out,
                              options.fit, std::move(fit_hooks), hooks),
          .teacher = std::move(teacher_scores)};
}

DistillPlan plan_distillation(const DistillOptions& options) {
  const ModelConfig teacher = ModelConfig::read(options.teacher / "config.json");
  const Heads& heads = options.task->heads;
  DistillPlan plan{.task = options.task,
                   .teacher = teacher,
                   .student = config_of_student(options.student, teacher),
                   .teacher_parameters = parameter_count(teacher, heads),
                   .from = options.student,
                   .config = {},
                   .fit = options.fit};
  plan.student_parameters = parameter_count(plan.student, heads);
  Prepared prepared = prepare(options, teacher, plan.student);
  plan.config = std::move(prepared.config);
  if (options.student.init_from_teacher)
    plan.layers = chosen_layers(*options.student.init_from_teacher, plan.teacher.layers(),
                                plan.student.layers());
  const Reading& train = prepared.data.train;
  plan.same_tokens = train.shared();
  plan.train_examples = train.student.features->size();
  plan.dev_examples = prepared.data.dev.student.features->size();
  plan.steps = steps_of(*train.student.features, options.fit);
  return plan;
}

}  // namespace ink
