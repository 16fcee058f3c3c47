// Distillation on text through the program: its files, its messages, and TinyBERT's two stages.
#include "tensor/json.h"
#include "tests/cli/program.h"

namespace ink {
namespace {

class DistillText : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    ASSERT_EQ(pretrain().status, 0);
  }

  // A file of examples/distillation, small: other paths, sizes and steps, all else as it is.
  void write_small(const std::string& name, const Json& student, int64_t epochs = 0) const {
    const fs::path file = fs::path(INK_SOURCE_DIR) / "examples" / "distillation" / name;
    Json json = parse_json(read_file(file, 1 << 20), name);
    json.set("student", student).set("max-length", 24);
    if (json.has("text")) {
      json.set("text", "long.txt").set("steps", 3).set("batch-tokens", 64);
      json.set("evaluate-every", 2).set("held-out", 0.2);
    } else {
      json.set("train", "train.tsv").set("dev", "train.tsv");
      Json training = json.object("TrainingConfig");
      json.set("TrainingConfig", training.set("num_epochs", epochs));
    }
    write_file(folder_ / name, json.to_string());
  }
  std::string model(const std::string& folder) const {
    return read_file(folder_ / folder / "model.safetensors", 1 << 26);
  }
};

TEST_F(DistillText, DistilBertFromItsFile) {
  write_file(folder_ / "narrow.json",
             R"({"model_type":"distilbert","dim":16,"n_layers":1,"n_heads":2,"hidden_dim":32,)"
             R"("max_position_embeddings":32})");
  write_small("distilbert.json", parse_json(
                                     R"({"architecture": "narrow.json",
                                         "init_from_teacher": "uniform"})",
                                     "student"));
  const Finished plan = run("distill --config distilbert.json --teacher base --explain");
  ASSERT_EQ(plan.status, 0) << plan.error;
  for (const char* part : {"kd_loss_weight 5", "hidden_cos_1_2", "3 steps of 8 batches"})
    EXPECT_NE(plan.out.find(part), std::string::npos) << plan.out;
  const Finished f = run("distill --config distilbert.json --teacher base --json");
  ASSERT_EQ(f.status, 0) << f.error;
  for (const char* part : {"held-out loss", "held-out accuracy", "held-out kd_loss",
                           R"("status": "finished")", R"("hidden_cos_1_2")"})
    EXPECT_NE(f.out.find(part), std::string::npos) << f.out;
  const std::string config = read_file(folder_ / "distilbert" / "config.json", 1 << 20);
  EXPECT_NE(config.find("DistilBertForMaskedLM"), std::string::npos) << config;
}

TEST_F(DistillText, TinyBertInThreeRuns) {
  write_small("tinybert_general.json", parse_json(R"({"architecture": "narrow.json"})", "student"));
  write_file(folder_ / "narrow.json",
             R"({"hidden_size":8,"num_hidden_layers":1,"num_attention_heads":2,)"
             R"("intermediate_size":16,"max_position_embeddings":32})");
  const Finished general = run("distill --config tinybert_general.json --teacher base");
  ASSERT_EQ(general.status, 0) << general.error;
  EXPECT_NE(general.out.find("held-out distillation_loss"), std::string::npos) << general.out;
  EXPECT_EQ(general.out.find("held-out accuracy"), std::string::npos) << "there is no head";

  ASSERT_EQ(
      run("finetune --model base --train train.tsv --dev train.tsv --epochs 2 --out finetuned")
          .status,
      0);
  write_small("tinybert_task_layers.json", "tinybert", 3);
  const Finished layers = run("distill --config tinybert_task_layers.json");
  ASSERT_EQ(layers.status, 0) << layers.error;
  const std::string log = read_file(folder_ / "tinybert-layers/training/log.jsonl", 1 << 20);
  EXPECT_NE(log.find(R"("score": 3.0)"), std::string::npos) << "the latest epoch is kept\n" << log;
  write_small("tinybert_task_logits.json", "tinybert-layers", 2);
  const Finished logits = run("distill --config tinybert_task_logits.json");
  ASSERT_EQ(logits.status, 0) << logits.error;
  EXPECT_EQ(run("predict --model tinybert-task", "砚台\n").status, 0);
}

TEST_F(DistillText, WhatTheLibraryReadsFromOptions) {
  write_file(folder_ / "d.json",
             R"({"student": {"layers_from_teacher": [0]}, "text": "long.txt", "objective": "mlm",
                 "steps": 4, "batch_tokens": 64, "log_every": 1, "checkpoint_every": 2,
                 "TrainingConfig": {"output_dir": "student", "seed": 3},
                 "DistillationConfig": {"hard_label_weight": 1}})");
  const std::string distill = "distill --config d.json --teacher base ";
  ASSERT_EQ(run(distill).status, 0);
  const std::string whole = model("student");
  EXPECT_TRUE(fs::exists(folder_ / "student/training/checkpoint-00000002"));
  fs::remove_all(folder_ / "student/training/checkpoint-00000004");
  const Finished resumed = run(distill + "--resume");
  ASSERT_EQ(resumed.status, 0) << resumed.error;
  EXPECT_EQ(model("student"), whole);
  ASSERT_EQ(run(distill + "--out again --seed 3").status, 0);
  EXPECT_EQ(model("again"), whole);
  ASSERT_EQ(run(distill + "--out other --seed 4 --mask-fraction 0.4").status, 0);
  EXPECT_NE(model("other"), whole);
}

TEST_F(DistillText, WrongUseSaysWhatToChange) {
  write_file(folder_ / "d.json", R"({"student": {"layers_from_teacher": [0]},
                                     "TrainingConfig": {"output_dir": "never"}})");
  const std::string distill = "distill --config d.json --teacher base ", text = "--text long.txt ";
  const auto refused = [&](const std::string& more, const std::vector<std::string>& parts,
                           int status = 2) { expect_failure(distill + more, status, parts); };
  refused("", {"got none of them"});
  refused(text + "--train train.tsv", {"got more than one"});
  refused(text + "--dev train.tsv", {"--dev: says nothing about --text"});
  refused("--train train.tsv --steps 7", {"--steps: says nothing about --train"});
  refused(text + "--objective wwm,nsp --dictionary words.txt", {"alone or with pair"}, 1);
  refused(text + "--objective mlm --loss-preset TinyBert", {"--loss-preset", "TinyBERT"});
  refused(text + "--objective mlm --short-probability 0.2", {"is about two texts"});
  refused(text + "--objective mlm --max-length 33", {"--max-length", "32 tokens"});
  ASSERT_EQ(
      run("finetune --model base --train train.tsv --dev train.tsv --epochs 1 --out tuned").status,
      0);
  expect_failure("distill --config d.json --teacher tuned --objective mlm " + text, 1,
                 {"the teacher in tuned has no masked-LM head", "or kd_loss_weight 0"});
  EXPECT_FALSE(fs::exists(folder_ / "never"));
}

}  // namespace
}  // namespace ink
