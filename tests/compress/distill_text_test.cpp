// Distillation on text: its losses against torch, its student, and the job it shares.
#include "compress/distill_text.h"

#include <gtest/gtest.h>

#include <map>

#include "autograd/tape.h"
#include "autograd/training_log.h"
#include "compress/loss_presets.h"
#include "compress/teacher.h"
#include "compress/text_teaching.h"
#include "nn/model_folder.h"
#include "tensor/ops.h"
#include "tensor/parallel.h"
#include "tests/compress/helpers.h"
#include "tests/nn/golden_weights.h"
#include "tests/objectives/toy_training.h"

namespace ink {
namespace {

namespace fs = std::filesystem;

ValueSource golden_values(const std::string& prefix) {
  return [prefix](const std::string& name, const Shape& shape, const Initial& initial) {
    return testing::golden_weights(1.0f)(prefix + name, shape, initial);
  };
}

// ── against torch (tools/golden/distill_text.py) ────────────────────────────────────────────────

// One micro-batch's losses and gradients, by a preset's weights.
class Golden {
 public:
  Golden(const std::string& preset, const Model& student, int64_t teacher_layers = 2)
      : folder_(scratch_folder("ink_distill_golden_" + preset)),
        teacher_config_(tiny_config(teacher_layers, 3, 20, 12)) {
    save_model(student, folder_);
    options_ = {.teacher = "unused", .student = {.folder = folder_}};
    options_.text.steps = 10;
    setting_.config = loss_preset(preset, layer_map("uniform"), match_size(teacher_config_),
                                  match_size(student.config));
  }
  ~Golden() { fs::remove_all(folder_); }
  Golden(const Golden&) = delete;
  Golden& operator=(const Golden&) = delete;

  void compute(bool with_head) {
    TextTeaching teaching(
        options_, setting_,
        Model(teacher_config_, {.masked_lm = with_head}, golden_values("teacher.")));
    const Lesson lesson = teaching.lesson();
    PretrainModel student = lesson.model(Random(1));
    for (Parameter& p : student.model.parameters)
      if (p.name.starts_with("projection."))
        p.value = golden_values("")(p.name, p.value.shape(), Initial::zeros());
    Tape tape;
    tape.watch(student.model.parameters);
    const testing::GoldenBatch given(file, "batch");
    PretrainBatch batch;
    batch.inputs = given.packed;
    batch.rows = given.rows;
    batch.labels = given.labels;
    batch.counts = {.tokens = batch.inputs.tokens(), .predictions = batch.rows.size()};
    Tensor total;
    for (const LossTerm& term : lesson.losses(student, batch, {}, Random(1), 0)) {
      parts[term.name] = term.mean.item();
      counts[term.name] = term.count;
      const Tensor weighted = scale(term.mean, term.weight);
      total = total ? add(total, weighted) : weighted;
    }
    steps = tape.steps();
    parts["total"] = total.item();
    const Gradients all = tape.backward(total);
    for (const Parameter& p : student.model.parameters) gradients[p.name] = all[p.value];
  }
  void expect_equal(const std::string& group) const {
    for (const auto& [name, value] : parts) {
      const double expected = file.tensor(group + "." + name).item();
      EXPECT_NEAR(value, expected, 2e-6 * std::max(1.0, expected)) << name;
    }
    for (const auto& [name, gradient] : gradients) {
      const Tensor reference = file.tensor(group + ".grad." + name);
      ASSERT_TRUE(gradient) << name;
      EXPECT_LT(distance(gradient, reference), 5e-6 * testing::largest(reference) + 1e-7) << name;
    }
  }

  const SafeTensors file{fs::path(INK_SOURCE_DIR) / "tests/golden/distill_text.safetensors"};
  std::map<std::string, double> parts;
  std::map<std::string, int64_t PretrainCounts::*> counts;
  std::map<std::string, Tensor> gradients;
  size_t steps = 0;  // of the tape

 private:
  const fs::path folder_;
  const ModelConfig teacher_config_;
  DistillTextOptions options_;
  TextSetting setting_{.teacher = {}, .student = {}, .config = {}, .tokenizer = toy_tokenizer()};
};

Model golden_distilbert() {
  ModelConfig c = tiny_config(1, 3, 20, 12);
  c.family = &distilbert_family();
  c.type_vocab_size = 0;
  return Model(c, {.masked_lm = true}, golden_values("distilbert_student."));
}

TEST(DistillTextGolden, ThreePartsOfDistilBertEqualTorch) {
  const Model student = golden_distilbert();
  Golden golden("DistilBERT", student);
  golden.compute(true);
  ASSERT_EQ(golden.parts.size(), 4u);
  golden.expect_equal("distilbert");
  EXPECT_EQ(golden.gradients.size(), student.parameters.size());
  EXPECT_EQ(golden.counts.at("kd_loss"), &PretrainCounts::predictions);
  EXPECT_EQ(golden.counts.at("mlm_loss"), &PretrainCounts::predictions);
  EXPECT_EQ(golden.counts.at("hidden_cos_1_2"), &PretrainCounts::tokens);
}

TEST(DistillTextGolden, LayersOfTinyBertEqualTorch) {
  const Model student(tiny_config(1, 3, 10, 6), {}, golden_values("tinybert_student."));
  Golden golden("TinyBERT", student);
  golden.compute(false);
  ASSERT_EQ(golden.parts.size(), 4u) << "no loss of logits";
  golden.expect_equal("tinybert");
  EXPECT_EQ(golden.gradients.size(), student.parameters.size() + 4) << "the projections learn, too";
}

// However deep the teacher is, the tape is as long: nothing of it is recorded.
TEST(DistillTextGolden, TeacherIsNotOnTheTape) {
  const Model student = golden_distilbert();
  Golden shallow("DistilBERT", student, 1), deep("DistilBERT", student, 5);
  shallow.compute(true);
  deep.compute(true);
  EXPECT_EQ(shallow.steps, deep.steps);
  EXPECT_NE(shallow.parts.at("kd_loss"), deep.parts.at("kd_loss"));
}

// ── the job ─────────────────────────────────────────────────────────────────────────────────────

class DistillText : public ToyTraining {
 protected:
  DistillText() : ToyTraining("ink_distill_text") {
    ModelConfig c = config();
    c.initializer_range = 0.2;
    save_model(Model(c, {.masked_lm = true}, random_values(Random(3))), folder_ / "teacher");
    tokenizer_.save(folder_ / "teacher");
  }

  DistillTextOptions options(const std::string& out, const std::string& preset = "DistilBERT") {
    DistillTextOptions o;
    o.teacher = folder_ / "teacher";
    o.student.architecture = config();
    o.student.architecture->set_layers(1, 2, 24);
    o.student.architecture->hidden_size = 16;
    o.student.architecture->head_size = 8;
    o.config = loss_preset(preset, layer_map("uniform"), match_size(config()),
                           match_size(*o.student.architecture));
    o.text = {.corpus = {folder_ / "texts"},
              .out = folder_ / out,
              .max_tokens = 40,
              .batch_tokens = 160,
              .accumulate = 2,
              .held_out = 0.1,
              .steps = 4,
              .learning_rate = 1e-3,
              .log_every = 1,
              .evaluate_every = 2,
              .checkpoint_every = 0};
    return o;
  }
  PretrainResult distilled(const DistillTextOptions& o,
                           const PretrainCallbacks& callbacks = {}) const {
    return distill_text(o, &segmenter_, callbacks);
  }
};

TEST_F(DistillText, ResumingEndsWithTheSameBits) {
  for (const char* preset : {"DistilBERT", "TinyBERT"}) {
    DistillTextOptions o = options("straight", preset);
    fs::remove_all(o.text.out);
    distilled(o);
    for (int64_t cut = 1; cut < o.text.steps; ++cut) {
      o.text.out = folder_ / "resumed";
      fs::remove_all(o.text.out);
      std::atomic<bool> stop = false;
      o.text.stop = &stop;
      const PretrainResult r =
          distilled(o, {.progress = [&](const Progress& p) { stop = p.step == cut; }});
      ASSERT_EQ(r.training.status, TrainingResult::Status::interrupted);
      o.text.stop = nullptr;
      o.text.resume = true;
      distilled(o);
      o.text.resume = false;
      for (const std::string file : {"model.safetensors", "best/model.safetensors",
                                     "training/checkpoint-00000004/model.safetensors",
                                     "training/checkpoint-00000004/optimizer.safetensors"})
        EXPECT_EQ(bytes("resumed/" + file), bytes("straight/" + file)) << preset << file << cut;
    }
  }
  const SafeTensors kept(folder_ / "straight/training/checkpoint-00000004/model.safetensors");
  EXPECT_EQ(kept.tensor("projection.0.weight").shape(), Shape({32, 16}));
  EXPECT_EQ(load_model(folder_ / "straight").parameters.find("projection.0.weight"), nullptr);
}

TEST_F(DistillText, AnotherTeacherOrOtherLossesAreNotResumed) {
  DistillTextOptions o = options("run");
  distilled(o);
  o.text.resume = true;
  DistillTextOptions other = o;
  other.config.temperature = 3;
  EXPECT_ERROR(distilled(other), "lesson.distillation.temperature");
  save_model(Model(config(), {.masked_lm = true}, random_values(Random(4))), folder_ / "teacher");
  EXPECT_ERROR(distilled(o), "lesson.teacher");
}

TEST_F(DistillText, ThreadsDoNotMatter) {
  const int before = threads();
  std::vector<std::string> models;
  for (const int count : {1, 3}) {
    set_threads(count);
    DistillTextOptions o = options("threads" + std::to_string(count));
    distilled(o);
    models.push_back(bytes(o.text.out / "model.safetensors"));
  }
  set_threads(before);
  EXPECT_EQ(models[0], models[1]);
}

TEST_F(DistillText, StudentComesToResembleItsTeacher) {
  DistillTextOptions o = options("student");
  o.text.steps = 60;
  o.text.learning_rate = 5e-3;
  o.text.evaluate_every = 0;
  const PretrainResult result = distilled(o);
  const auto metric = [&](const std::string& name) {
    for (const auto& [key, value] : result.training.last.metrics)
      if (key == name) return value;
    ADD_FAILURE() << name;
    return 0.0;
  };
  std::map<std::string, double> first;
  for (const Json& line : read_training_log(o.text.out / "training" / "log.jsonl"))
    for (const char* name : {"kd_loss", "mlm_loss", "hidden_cos_1_2"})
      if (line.has(name)) first.emplace(name, line.real(name));
  EXPECT_LT(metric("kd_loss"), 0.9 * first.at("kd_loss"));
  EXPECT_LT(metric("hidden_cos_1_2"), 0.9 * first.at("hidden_cos_1_2"));
  EXPECT_NEAR(metric("distillation_loss"),
              5 * 4 * metric("kd_loss") + 2 * metric("loss") + metric("hidden_cos_1_2"), 1e-4);
  const Model saved = load_model(o.text.out);
  EXPECT_EQ(saved.config.architectures, std::vector<std::string>{"BertForMaskedLM"});
  EXPECT_EQ(saved.parameters.elements(), plan_text_distillation(o).models.student_parameters);
  EXPECT_EQ(Tokenizer::load(o.text.out).vocabulary(), tokenizer_.vocabulary());
}

// Neither model needs a head, and none is made.
TEST_F(DistillText, LayersAloneNeedNoHead) {
  save_model(Model(config(), {}, random_values(Random(3))), folder_ / "teacher");
  DistillTextOptions o = options("body", "TinyBERT");
  const PretrainResult result = distilled(o);
  const Model saved = load_model(o.text.out);
  EXPECT_EQ(saved.config.architectures, std::vector<std::string>{"BertModel"});
  EXPECT_EQ(result.training.last.metrics.size(), 4u) << "three matches and their sum";
  EXPECT_EQ(result.training.last.score, -result.training.last.metrics.back().second);
  o.config.kd_loss_weight = 1;
  o.text.out = folder_ / "never";
  EXPECT_ERROR(distilled(o), "has no masked-LM head, so that it cannot say which tokens");
}

TEST_F(DistillText, StudentsBeginWithTheTeachersHeadToo) {
  DistillTextOptions o = options("layers");
  o.student = {.layers_from_teacher = {1}};
  o.config.intermediate_matches.clear();
  o.text.learning_rate = 0;
  distilled(o);
  const Model teacher = load_model(o.teacher), first = load_model(o.text.out);
  for (const char* name : {"cls.predictions.transform.dense.weight", "cls.predictions.bias"})
    EXPECT_TRUE(equal_bits(first.parameters.at(name).value, teacher.parameters.at(name).value));
  // DistilBERT's head has other names.
  ModelConfig c = config();
  c.family = &distilbert_family();
  c.set_layers(1, 2, 48);
  o.student = {.architecture = c};
  o.student.init_from_teacher = TeacherInit{.from = TeacherInit::From::last};
  o.text.out = folder_ / "distilbert";
  distilled(o);
  const Model second = load_model(o.text.out);
  EXPECT_TRUE(equal_bits(second.parameters.at("vocab_transform.weight").value,
                         teacher.parameters.at("cls.predictions.transform.dense.weight").value));
  EXPECT_TRUE(equal_bits(second.parameters.at("vocab_projector.bias").value,
                         teacher.parameters.at("cls.predictions.bias").value));
}

TEST_F(DistillText, WrongSettingsAreSaidBeforeAnything) {
  const auto refuse = [&](const std::string& message, auto&& change) {
    DistillTextOptions o = options("never");
    change(o);
    EXPECT_ERROR(plan_text_distillation(o), message);
    EXPECT_ERROR(distilled(o), message);
    EXPECT_FALSE(fs::exists(o.text.out)) << message;
  };
  using Options = DistillTextOptions;
  refuse("wants layer_T 3, but the teacher has hidden layers 0 to 2",
         [](Options& o) { o.config.intermediate_matches[0].layer_teacher = 3; });
  refuse("layers of the teacher from 0 to 1, got 7",
         [](Options& o) { o.student = {.layers_from_teacher = {7}}; });
  refuse("expected mlm, wwm, ngram, mac, or perlm in global space",
         [](Options& o) { o.text.objective = objective_from("perlm"); });
  refuse("expected mlm, wwm, ngram, mac, or perlm in global space",
         [](Options& o) { o.text.objective = objective_from("wwm,nsp"); });
  refuse("no logits can be cached", [](Options& o) { o.config.is_caching_logits = true; });
  refuse("expected kd_loss_type ce, kl or mse",
         [](Options& o) { o.config.kd_loss_type = KdLoss::bce; });
  refuse("expected text options without a start",
         [](Options& o) { o.text.start_from = o.teacher; });
  refuse("nothing is left to learn", [](Options& o) { o.config = {.kd_loss_weight = 0}; });
  refuse("the teacher reads at most 40 tokens, got sequences of 41", [](Options& o) {
    o.student.architecture->max_position_embeddings = 50;
    o.text.max_tokens = 41;
  });
  refuse("the student scores 300 tokens, the teacher 206",
         [](Options& o) { o.student.architecture->vocab_size = 300; });
  refuse("has another vocabulary", [&](Options& o) {
    o.student = {.folder = folder_ / "other"};
    o.config.intermediate_matches.clear();
    save_model(Model(config(), {.masked_lm = true}, random_values(Random(3))), folder_ / "other");
    std::vector<std::string> tokens = tokenizer_.vocabulary().tokens();
    std::swap(tokens[10], tokens[11]);
    Tokenizer(Vocabulary(tokens)).save(folder_ / "other");
  });
}

TEST_F(DistillText, APlanSaysWhatTrainingWillDo) {
  DistillTextOptions o = options("planned", "TinyBERT");
  const std::string text = explanation(plan_text_distillation(o));
  for (const char* part :
       {"teacher    bert, 2 layers of 32 channels", "student    bert, 1 layer of 16 channels",
        "layer 1 (N, 16) -> linear (N, 32)  with layer 2 (N, 32)  weight 1  hidden_hidden_mse_1_2",
        "attention_attention_mse_1_2", "kd_loss_weight 0",
        "4 steps of 2 batches of at most 160 tokens, in sequences of at most 40",
        "evaluated every 2 steps and after the last"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  EXPECT_FALSE(fs::exists(o.text.out)) << "planning writes nothing";
}

// ── presets and files ───────────────────────────────────────────────────────────────────────────

TEST(LossPresets, AreThoseOfThePapers) {
  const ModelSize teacher{12, 768, std::vector<int64_t>(12, 12), 64},
      student{6, 768, std::vector<int64_t>(6, 12), 64},
      narrow{4, 312, std::vector<int64_t>(4, 12), 26};
  const auto names = [](const DistillationConfig& c) {
    std::vector<std::string> all;
    for (const IntermediateMatch& m : c.intermediate_matches) all.push_back(m.name());
    return all;
  };
  const auto preset = [&](const char* name, const ModelSize& of) {
    const DistillationConfig c = loss_preset(name, layer_map("uniform"), teacher, of);
    check_matches(c.intermediate_matches, teacher, of);
    return c;
  };
  const DistillationConfig distilbert = preset("DistilBERT", student);
  EXPECT_EQ(distilbert.temperature, 2);
  EXPECT_TRUE(distilbert.temperature_squared);
  EXPECT_EQ(distilbert.kd_loss_type, KdLoss::kl);
  EXPECT_EQ(distilbert.kd_loss_weight, 5);
  EXPECT_EQ(distilbert.hard_label_weight, 2);
  EXPECT_EQ(names(distilbert), std::vector<std::string>{"hidden_cos_6_12"});
  EXPECT_FALSE(distilbert.intermediate_matches[0].projected());
  EXPECT_EQ(names(preset("TinyBERT", narrow)),
            (std::vector<std::string>{"hidden_hidden_mse_0_0", "hidden_hidden_mse_1_3",
                                      "hidden_hidden_mse_2_6", "hidden_hidden_mse_3_9",
                                      "hidden_hidden_mse_4_12", "attention_attention_mse_1_3",
                                      "attention_attention_mse_2_6", "attention_attention_mse_3_9",
                                      "attention_attention_mse_4_12"}));
  EXPECT_TRUE(preset("TinyBERT", narrow).intermediate_matches[0].projected());
  EXPECT_EQ(
      names(preset("MiniLM", narrow)),
      (std::vector<std::string>{"relation_minilm_query_key_4_12", "relation_minilm_value_4_12"}));
  for (const char* name : {"TinyBERT", "MiniLM"}) {
    EXPECT_EQ(preset(name, narrow).kd_loss_weight, 0);
    EXPECT_EQ(preset(name, narrow).hard_label_weight, 0);
  }
  EXPECT_ERROR(preset("TinyBert", narrow), "unknown loss_preset 'TinyBert'; did you mean");
}

TEST_F(DistillText, OptionsFromJson) {
  const auto read = [&](std::string keys) {
    const std::string json = R"({"teacher": ")" + (folder_ / "teacher").string() +
                             R"(", "student": {"layers_from_teacher": [0]}, )" + keys + "}";
    return distill_text_options_from_json(parse_json(json, "d.json"), {.steps = 200});
  };
  const DistillTextOptions o =
      read(R"("loss_preset": "DistilBERT", "DistillationConfig": {"hard_label_weight": 0.5},
      "TrainingConfig": {"output_dir": "s", "gradient_accumulation_steps": 3,
                         "learning_rate": 0.002, "warmup_proportion": 0.25, "weight_decay": 0.2,
                         "max_grad_norm": -1, "seed": 9})");
  EXPECT_EQ(o.config.hard_label_weight, 0.5) << "what is said wins over the preset";
  EXPECT_EQ(o.config.kd_loss_weight, 5);
  EXPECT_EQ(o.config.intermediate_matches[0].name(), "hidden_cos_1_2");
  EXPECT_EQ(o.text.out, "s");
  EXPECT_EQ(o.text.accumulate, 3);
  EXPECT_EQ(o.text.learning_rate, 0.002);
  EXPECT_EQ(o.text.warmup_steps, 50);
  EXPECT_EQ(o.text.optimizer.weight_decay, 0.2);
  EXPECT_EQ(o.text.clip_norm, 0);
  EXPECT_EQ(o.text.seed, 9u);
  EXPECT_EQ(read(R"("layer_map": "last", "loss_preset": "TinyBERT",
                 "TrainingConfig": {"output_dir": "s"})")
                .config.intermediate_matches.size(),
            3u);
  EXPECT_ERROR(read(R"("TrainingConfig": {"num_epochs": 3})"),
               "num_epochs: is a key of jobs on one task; this one is on plain text, in steps of "
               "batch_tokens tokens: expected steps, batch_tokens");
  EXPECT_ERROR(read(R"("compare_alone": true, "TrainingConfig": {})"),
               "compare_alone: is a key of jobs on one task; this one is on plain text");
  EXPECT_ERROR(read(R"("TrainingConfig": {"output_dirs": "s"})"), "did you mean 'output_dir'?");
  EXPECT_ERROR(read(R"("loss_preset": "TinyBERT", "match_evenly": "cos")"),
               "match_evenly: a loss_preset says itself which layers are compared");
  EXPECT_ERROR(read(R"("layer_map": "last")"), "layer_map: a map says which layers");
  EXPECT_ERROR(read(R"("TrainingConfig": {})"), "expected the student's folder in output_dir");
  EXPECT_ERROR(read(R"("TrainingConfig": {"warmup_proportion": 2})"), "from 0 to 1, got 2");
}

}  // namespace
}  // namespace ink
