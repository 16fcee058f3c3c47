// Trainings that are stopped, resumed and started twice, through the program.
#include "tensor/json.h"
#include "tests/cli/program.h"

namespace ink {
namespace {

constexpr const char* kPretrain =
    "pretrain --objective mlm --architecture small.json --vocab vocab.txt --text long.txt --out "
    "base --steps 1500 --held-out 0 --batch-tokens 64 --max-length 32 --log-every 1 ";
constexpr const char* kFinetune =
    "finetune --model base --train train.tsv --dev train.tsv --max-length 32 --out tuned "
    "--epochs 250 --batch-size 2 --log-every 1 ";
constexpr const char* kDistill = "distill --config distill.json ";

class Interrupted : public Cli {
 protected:
  // Starts the training, sends it a signal after its first steps, and waits for its end.
  Finished stop(const std::string& arguments, const std::string& out, const std::string& signal) {
    return shell("$INK " + arguments + " --json & pid=$!\nuntil [ -s " + out +
                 "/training/log.jsonl ] || ! kill -0 $pid; do sleep 0.01; done\nkill -" + signal +
                 " $pid\nwait $pid\n");
  }

  // A training that is stopped and resumed ends with the bits of one that nobody disturbed.
  void expect_same_bits(const std::string& arguments, const std::string& out,
                        const std::string& signal, int status) {
    ASSERT_EQ(run(arguments).status, 0) << run(arguments).error;
    const std::string whole = read_file(folder_ / out / "model.safetensors", 1 << 26);
    fs::remove_all(folder_ / out);
    const Finished stopped = stop(arguments, out, signal);
    EXPECT_EQ(stopped.status, status) << stopped.error;
    EXPECT_NE(stopped.error.find("--resume"), std::string::npos) << stopped.error;
    EXPECT_NE(stopped.out.find(R"("status": "interrupted")"), std::string::npos) << stopped.out;
    const Finished resumed = run(arguments + " --resume --json");
    EXPECT_EQ(resumed.status, 0) << resumed.error;
    EXPECT_NE(resumed.error.find("resumed at step"), std::string::npos) << resumed.error;
    EXPECT_NE(resumed.out.find(R"("status": "finished")"), std::string::npos) << resumed.out;
    EXPECT_EQ(read_file(folder_ / out / "model.safetensors", 1 << 26), whole);
  }
};

TEST_F(Interrupted, PretrainingResumesBitForBit) {
  expect_same_bits(kPretrain, "base", "INT", 130);
}

TEST_F(Interrupted, TaskTrainingsResumeBitForBit) {
  ASSERT_EQ(pretrain().status, 0);
  expect_same_bits(kFinetune, "tuned", "TERM", 143);
  write_file(folder_ / "distill.json",
             R"({"teacher":"tuned","student":{"layers_from_teacher":[0]},"train":"train.tsv",
    "dev":"train.tsv","max_length":32,
    "TrainingConfig":{"output_dir":"student","num_epochs":250,"batch_size":2}})");
  expect_same_bits(kDistill, "student", "INT", 130);
}

// --explain prints what would be done with the map that --layer-map names, and writes nothing.
TEST_F(Cli, DistillationIsExplainedBeforeItIsDone) {
  write_file(folder_ / "small.json",
             R"({"hidden_size":16,"num_hidden_layers":3,"num_attention_heads":2,)"
             R"("intermediate_size":32,"max_position_embeddings":32})");
  ASSERT_EQ(pretrain().status, 0);
  ASSERT_EQ(
      run("finetune --model base --train train.tsv --dev train.tsv --epochs 1 --out tuned").status,
      0);
  write_file(folder_ / "distill.json",
             R"({"teacher":"tuned","student":{"layers_from_teacher":[0]},"train":"train.tsv",
    "dev":"train.tsv","max_length":32,"match_evenly":"hidden_mse",
    "TrainingConfig":{"output_dir":"student","num_epochs":7,"batch_size":3}})");
  // The student's layer is the teacher's first, which only "emd" finds out.
  for (const auto& [map, layer] : {std::pair{"uniform", 3}, {"last", 3}, {"emd", 1}}) {
    const Finished f =
        run(std::string("distill --config distill.json --explain --json --layer-map ") + map);
    ASSERT_EQ(f.status, 0) << f.error;
    const std::string pair = "layer 1 (N, 16)  with layer " + std::to_string(layer) + " (N, 16)";
    EXPECT_NE(f.out.find(pair), std::string::npos) << map << '\n' << f.out;
    EXPECT_NE(f.out.find("14 steps: 7 epochs"), std::string::npos) << f.out;
    EXPECT_NE(f.out.find(R"("steps": 14)"), std::string::npos) << f.out;
  }
  write_file(folder_ / "gru.json",
             R"({"teacher":"tuned","student":{"preset":"BiGRU","init_from_teacher":"embeddings"},
    "train":"train.tsv","dev":"train.tsv","max_length":32,
    "TrainingConfig":{"output_dir":"student"}})");
  const Finished gru = run("distill --config gru.json --explain");
  EXPECT_NE(gru.out.find("random weights: the teacher's embeddings have 16 channels, its own 768"),
            std::string::npos)
      << gru.out << gru.error;
  EXPECT_FALSE(fs::exists(folder_ / "student"));
}

// The table of models and the curves of every term stand beside the student.
TEST_F(Cli, DistillationIsComparedWithTheStudentAlone) {
  ASSERT_EQ(pretrain().status, 0);
  ASSERT_EQ(
      run("finetune --model base --train train.tsv --dev train.tsv --epochs 1 --out tuned").status,
      0);
  write_file(folder_ / "texts.txt", "砚台\n墨好\n");
  write_file(folder_ / "distill.json",
             R"({"teacher":"tuned","student":{"layers_from_teacher":[0]},"train":"train.tsv",
    "dev":"train.tsv","max_length":32,"match_evenly":"hidden_mse","compare_alone":true,
    "unlabelled":"texts.txt","augmentation":{"copies":2,"masking":0.2},
    "TrainingConfig":{"output_dir":"student","num_epochs":1,"batch_size":4}})");
  const Finished f = run("distill --config distill.json --json");
  ASSERT_EQ(f.status, 0) << f.error;
  const Json written = parse_json(read_file(folder_ / "student" / "distillation.json", 1 << 20),
                                  "distillation.json");
  ASSERT_EQ(written["models"].size(), 3u);
  const std::string page = read_file(folder_ / "student" / "distillation.html", 1 << 20);
  for (size_t i = 0; i < 3; ++i) {
    const Json& model = written["models"].items()[i];
    EXPECT_EQ(model.string("name"),
              (std::vector<std::string>{"teacher", "distilled", "student alone"})[i]);
    EXPECT_GT(model.integer("parameters"), 0);
    EXPECT_GT(model.real("sentences_per_second"), 0);
    EXPECT_NE(page.find("<td>" + model.string("name") + "</td>"), std::string::npos);
    EXPECT_NE(f.out.find(model.string("name") + "  "), std::string::npos) << f.out;
  }
  EXPECT_NE(page.find(">kd_loss<"), std::string::npos);
  EXPECT_NE(page.find(">accuracy<"), std::string::npos) << "the evaluations";
  EXPECT_TRUE(fs::exists(folder_ / "student" / "alone" / "model.safetensors"));
  for (const char* file : {"student/training/log.jsonl", "student/alone/training/log.jsonl"}) {
    const std::string log = read_file(folder_ / file, 1 << 20);
    EXPECT_EQ(parse_json(log.substr(log.rfind("\n{") + 1), file).integer("step"), 6)
        << file << ": (6 + 2 texts) with 2 copies each, in batches of 4";
  }
  for (const char* term : {"kd_loss", "hidden_hidden_mse_0_0", "hard_label_loss"})
    EXPECT_NE(page.find(term), std::string::npos) << term;
}

// One student of two teachers, and a model folder for each of its tasks.
TEST_F(Cli, AStudentMayLearnSeveralTasks) {
  ASSERT_EQ(pretrain().status, 0);
  ASSERT_EQ(
      run("finetune --model base --train train.tsv --dev train.tsv --epochs 1 --out tuned").status,
      0);
  const std::string task = R"({"teacher": "tuned", "train": "train.tsv", "dev": "train.tsv"})";
  write_file(folder_ / "distill.json",
             R"({"tasks": {"one": )" + task + R"(, "two": )" + task + R"(}, "num_steps": 4,
    "evaluate_every": 2, "student": {"layers_from_teacher": [0]}, "max_length": 32,
    "TrainingConfig": {"output_dir": "students"}})");
  expect_failure("distill --config distill.json --teacher tuned", 2,
                 {"--teacher: each of the \"tasks\" names its own"});
  expect_failure("distill --config distill.json --train train.tsv --teacher tuned", 2,
                 {"got more than one"});
  expect_failure("distill --config distill.json --columns label,text", 2,
                 {"--columns: says nothing about \"tasks\""});
  const Finished explained = run("distill --config distill.json --explain --json");
  ASSERT_EQ(explained.status, 0) << explained.error;
  for (const char* part : {"\n== one, with probability 0.5\ntask       classification\nteacher    ",
                           "\n== two, with probability 0.5\n", "4 steps: in batches of at most",
                           "evaluated 2 times, after steps 2 4", R"("probability": 0.5)"})
    EXPECT_NE(explained.out.find(part), std::string::npos) << part << " in\n" << explained.out;
  EXPECT_FALSE(fs::exists(folder_ / "students"));
  expect_failure(
      "distill --config distill.json --match-evenly cos", 2,
      {"match_evenly: is a key of jobs on one task or plain text; this one is on several"});
  const Finished f = run("distill --config distill.json --json");
  ASSERT_EQ(f.status, 0) << f.error;
  const Json result = parse_json(f.out.substr(f.out.rfind("\n{") + 1), "result");
  EXPECT_EQ(result.integer("step"), 4);
  for (const char* name : {"one", "two"}) {
    EXPECT_TRUE(result.object("tasks").object(name).has("teacher")) << f.out;
    EXPECT_EQ(run(std::string("evaluate --data train.tsv --model students/") + name).status, 0);
    EXPECT_NE(f.out.find(std::string("\n") + name + "\nmodel "), std::string::npos) << f.out;
  }
  const Json written = parse_json(read_file(folder_ / "students" / "distillation.json", 1 << 20),
                                  "distillation.json");
  const Json& models = written.object("tasks").object("two").array("models");
  ASSERT_EQ(models.size(), 2u);
  EXPECT_EQ(models.object(1).string("name"), "distilled");
  const std::string page = read_file(folder_ / "students" / "distillation.html", 1 << 20);
  for (const char* part :
       {"<h3>one</h3>", "<h3>two</h3>", "<td>distilled</td>", ".kd_loss<", ">one.accuracy<"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
  ASSERT_EQ(run("report --run several=students --out several.html").status, 0);
  const std::string report = read_file(folder_ / "several.html", 1 << 20);
  for (const char* part :
       {"one.loss on held-out examples", "two.accuracy on held-out examples", "learning rate"})
    EXPECT_NE(report.find(part), std::string::npos) << part;
}

TEST_F(Cli, RecomputingLayersChangesNothing) {
  write_file(folder_ / "distill.json",
             R"({"teacher":"tuned","student":{"layers_from_teacher":[0]},"train":"train.tsv",
    "dev":"train.tsv","max_length":32,"TrainingConfig":{"num_epochs":1}})");
  const std::string pretrain =
      "pretrain --objective mlm --architecture small.json --vocab vocab.txt --text text.txt "
      "--steps "
      "4 --held-out 0 --batch-tokens 32 --out ";
  const std::string finetune =
      "finetune --model base --train train.tsv --dev train.tsv --epochs 2 --out ";
  const std::vector<std::pair<std::string, std::string>> trainings = {
      {pretrain, "base"}, {finetune, "tuned"}, {"distill --config distill.json --out ", "student"}};
  for (const auto& [command, out] : trainings) {
    ASSERT_EQ(run(command + out).status, 0) << out;
    const Finished again = run(command + "again_" + out + " --recompute");
    ASSERT_EQ(again.status, 0) << again.error;
    EXPECT_EQ(read_file(folder_ / out / "model.safetensors", 1 << 26),
              read_file(folder_ / ("again_" + out) / "model.safetensors", 1 << 26))
        << out;
  }
}

TEST_F(Cli, OtherLabelsNeedANewHead) {
  ASSERT_EQ(pretrain().status, 0);
  const std::string tune = "finetune --epochs 1 --train ";
  ASSERT_EQ(run(tune + "train.tsv --dev train.tsv --model base --out tuned").status, 0);
  write_file(folder_ / "mood.tsv", "up\t砚台好\ndown\t砚台坏\nup\t墨好\ndown\t纸坏\n");
  const std::string other = tune + "mood.tsv --dev mood.tsv --model tuned --out other ";
  expect_last_line(other, 1, {"mood.tsv:1", "unknown label 'up'", "--new-labels"});
  const Finished f = run(other + "--new-labels");
  ASSERT_EQ(f.status, 0) << f.error;
  EXPECT_NE(read_file(folder_ / "other" / "config.json", 1 << 20).find("\"down\""),
            std::string::npos);
}

TEST_F(Cli, CheckpointsChangeNothingAndNoRunIsOverwritten) {
  ASSERT_EQ(pretrain().status, 0);
  const std::string whole = read_file(folder_ / "base" / "model.safetensors", 1 << 26);
  fs::remove_all(folder_ / "base");
  ASSERT_EQ(pretrain("--checkpoint-every 2").status, 0);
  EXPECT_EQ(read_file(folder_ / "base" / "model.safetensors", 1 << 26), whole);
  const Finished again = pretrain();
  EXPECT_EQ(again.status, 1) << "a finished run is not overwritten silently";
  EXPECT_NE(again.error.find("go on with it (--resume)"), std::string::npos) << again.error;
}

// XLNet reads A <sep> <cls>, also with a vocabulary of BERT's kind, in training and afterwards.
TEST_F(Cli, XlnetEndsWithItsClassToken) {
  write_file(folder_ / "xlnet.json",
             R"({"model_type":"xlnet","d_model":16,"n_layer":1,"n_head":2,"d_inner":32})");
  const Finished f = run(
      "pretrain --objective plm --architecture xlnet.json --vocab vocab.txt --text long.txt "
      "--dictionary words.txt --out x --steps 2 --held-out 0 --batch-tokens 32 --max-length 32");
  ASSERT_EQ(f.status, 0) << f.error;
  const std::string tokens = R"("tokens": ["砚", "台", "[SEP]", "[CLS]"])";
  EXPECT_NE(run("tokenize --model x", "砚台\n").out.find(tokens), std::string::npos)
      << run("tokenize --model x", "砚台\n").out;
  const std::string shown =
      run("corrupt --objective plm --vocab vocab.txt --dictionary words.txt --text -", "砚台\n")
          .out;
  EXPECT_NE(shown.find(tokens), std::string::npos) << shown;
}

}  // namespace
}  // namespace ink
