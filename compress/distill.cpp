// Teacher and student over the one training loop.
#include "compress/distill.h"

#include <algorithm>

#include "autograd/tape.h"
#include "compress/values.h"
#include "nn/parameter_count.h"
#include "nn/session.h"
#include "tasks/save_folder.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/fingerprint.h"
#include "tensor/ops.h"

namespace ink {
namespace {

// Without heads where attention is more than softmax(q kᵀ/√D), as XLNet's is.
ModelSize size_of(const ModelConfig& config) {
  ModelSize size{.layers = config.layers(), .hidden = config.hidden_size};
  if (config.family->body_kind == BodyKind::xlnet) return size;
  size.heads = config.heads_per_layer;
  size.head_size = config.head_size;
  return size;
}

Model make_student(const DistillOptions& options, const Session& teacher) {
  const StudentOptions& from = options.student;
  const int sources =
      !from.folder.empty() + from.architecture.has_value() + !from.layers_from_teacher.empty();
  check(sources == 1,
        "distill: expected one source of the student (a folder, an architecture or layers of the "
        "teacher), got ",
        sources);
  if (!from.layers_from_teacher.empty())
    return model_from_layers(teacher.model(), from.layers_from_teacher);
  const Heads heads{.classification = true};  // the pooler too, where it is read
  const Random random = Random(options.fit.seed).split("weights");
  const std::vector<std::string>& labels = teacher.model().config.labels;
  if (!from.folder.empty()) {
    LoadOptions load{.heads = heads, .new_heads = true, .random = random};
    load.labels = labels;
    load.problem_type = "single_label_classification";
    return load_model(from.folder, load);
  }
  ModelConfig config = *from.architecture;
  config.labels = labels;
  config.problem_type = "single_label_classification";
  check_trainable_here(config, heads);
  return Model(config, heads, random_values(random));
}

// As many tokens are not yet the same tokens.
void check_shared_vocabulary(const Tokenizer& teacher, const std::filesystem::path& student) {
  if (student.empty() || !std::filesystem::exists(student / "vocab.txt")) return;
  check(Tokenizer::load(student).vocabulary() == teacher.vocabulary(),
        "distill: teacher and student should share a vocabulary; that of ", student.string(),
        " is another");
}

ModelOutputs outputs_of(const Model& model, const Packed& batch, EncoderOptions options,
                        const DistillationConfig& config) {
  options.all_hidden = config.matches_hidden();
  options.attention_inputs = config.matches_attention();
  Encoded encoded = model.body(batch, options);
  const Tensor summary = model.summary(encoded.hidden, batch.offsets);
  return {.logits = model.classification->logits(summary, options.random),
          .hidden = std::move(encoded.all_hidden),
          .attention = std::move(encoded.attention),
          .heads = model.config.heads_per_layer};
}

// What the teacher says about batches: computed anew, or looked up where only logits are needed and
// they are cached.
class Teacher {
 public:
  Teacher(const Session& session, const Features& train, const DistillationConfig& config)
      : session_(session), config_(config) {
    if (!config.is_caching_logits) return;
    cache_ = Tensor({train.size(), session.model().config.label_count()});
    for (const std::vector<int64_t>& rows : train.plan(kInferencePlan)) {
      const Tensor logits = on_host(outputs(train.batch(rows)).logits);
      const int64_t C = logits.dim(1);
      for (size_t b = 0; b < rows.size(); ++b)
        std::copy_n(logits.data<float>() + static_cast<int64_t>(b) * C, C,
                    cache_.data<float>() + rows[b] * C);
    }
    cached_ = true;
  }

  ModelOutputs outputs(const FeatureBatch& batch) const {
    if (cached_) {
      const std::vector<int32_t> rows(batch.rows.begin(), batch.rows.end());
      return {.logits = gather_rows(cache_, from(rows)), .hidden = {}};
    }
    const Pause pause;
    return outputs_of(session_.model(), batch.inputs, {}, config_);
  }

 private:
  const Session& session_;
  const DistillationConfig& config_;
  bool cached_ = false;
  Tensor cache_;  // (examples, classes)
};

DistillationConfig settled_config(const DistillOptions& options, const ModelConfig& teacher,
                                  const ModelConfig& student) {
  DistillationConfig config = options.config;
  if (options.match_evenly) {
    check(config.intermediate_matches.empty(),
          "distill: expected either even matches or a list of them, got both");
    config.intermediate_matches =
        even_matches(size_of(teacher), size_of(student), *options.match_evenly);
  }
  check(!config.is_caching_logits || config.intermediate_matches.empty(),
        "distill: is_caching_logits keeps logits alone; expected no intermediate matches");
  check(!options.fit.recompute || !config.matches_attention(),
        "distill: recomputed layers keep no attention to match; expected recompute off, or matches "
        "of hidden states alone");
  check_matches(config.intermediate_matches, size_of(teacher), size_of(student));
  return config;
}

}  // namespace

Model model_from_layers(const Model& teacher, const std::vector<int64_t>& layers) {
  ModelConfig config = teacher.config;
  check(config.shared.groups == 0, "distill: the teacher's layers share their weights; expected a ",
        "student from a folder or an architecture");
  config.heads_per_layer.clear();
  config.ffn_per_layer.clear();
  for (const int64_t layer : layers) {
    check(layer >= 0 && layer < teacher.config.layers(),
          "distill: expected layers of the teacher from 0 to ", teacher.config.layers() - 1,
          ", got ", layer);
    config.heads_per_layer.push_back(teacher.config.heads_per_layer[static_cast<size_t>(layer)]);
    config.ffn_per_layer.push_back(teacher.config.ffn_per_layer[static_cast<size_t>(layer)]);
  }
  const ValueSource copies = copies_of(teacher.parameters);
  const Family& family = *config.family;
  const std::string path = std::string(family.prefix) + '.' + family.layers + '.';
  return Model(std::move(config), teacher.heads,
               [&](const std::string& name, const Shape& shape, const Initial& initial) {
                 if (!name.starts_with(path)) return copies(name, shape, initial);
                 size_t digits = 0;
                 const auto layer = std::stoul(name.substr(path.size()), &digits);
                 const std::string rest = name.substr(path.size() + digits);
                 return copies(path + std::to_string(layers[layer]) + rest, shape, initial);
               });
}

DistillResult distill(const DistillOptions& options, const TaskHooks& hooks) {
  check_other_folder("distill", options.teacher, options.out);
  check_no_model("distill", options.out, true);
  const Session session(options.teacher);
  const ModelConfig& teacher_config = session.model().config;
  const Labels labels = labels_of(teacher_config);
  Model student = make_student(options, session);
  student.parameters.own();
  check_length(teacher_config, options.max_length);
  check_length(student.config, options.max_length);
  const DistillationConfig config = settled_config(options, teacher_config, student.config);

  TaskExamples data = read_task(options.data, &labels, options.fit.seed);
  const Tokenizer tokenizer = load_tokenizer(options.teacher, teacher_config);
  student.config.check_vocabulary(tokenizer.vocabulary().size(), "distill: the student");
  check_shared_vocabulary(tokenizer, options.student.folder);
  const TokenOptions tokens{tokenizer, options.max_length};
  const TaskSet train = classification_set(std::move(data.train), tokens),
                dev = classification_set(std::move(data.dev), tokens);
  const double teacher_accuracy = dev.judge(session.model()).scores.score;
  const Teacher teacher(session, *train.features, config);
  const DistillationLoss loss(
      config,
      Scope(student.parameters, random_values(Random(options.fit.seed).split("projections"))));

  FitHooks fit_hooks;
  fit_hooks.fingerprint = fingerprint_of("distill", student.config, tokenizer, options.max_length);
  const auto weights = MappedFile::open(options.teacher / "model.safetensors");
  fit_hooks.fingerprint.set("teacher", Digest().add(weights->text()).to_string())
      .set("distillation", config.to_json());
  fit_hooks.loss = [&](const FeatureBatch& batch, const Random& random, int64_t step,
                       int64_t steps) -> MicroLoss {
    const ModelOutputs wanted = teacher.outputs(batch);
    const ModelOutputs got =
        outputs_of(student, batch.inputs, training_options(options.fit, random), config);
    DistillationLoss::Result result =
        loss(got, wanted, batch.labels, batch.inputs.offsets, step, steps);
    return {.loss = result.total,
            .weight = static_cast<double>(batch.rows.size()),
            .tokens = batch.inputs.tokens(),
            .measures = std::move(result.parts)};
  };
  fit_hooks.keep_best = [&](int64_t, const Evaluation&) {
    const Model without_projections(student.config, student.heads, values_of(student.parameters));
    save_folder(without_projections, options.out, options.teacher);
  };
  return {.student =
              fit_task(student, train, dev, options.out, options.fit, std::move(fit_hooks), hooks),
          .teacher_accuracy = teacher_accuracy};
}

}  // namespace ink
