// inkstone prune with targets, hidden channels, layers, recovery; --speed and --report.
#include <map>

#include "tests/cli/small_classifier.h"

namespace ink {
namespace {

class PruneTarget : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    save_small_classifier(folder_);
  }
  ModelConfig config_of(const std::string& model) const {
    return ModelConfig::read(folder_ / model / "config.json");
  }
  std::string prune(const std::string& config, const std::string& more) const {
    write_file(folder_ / "tc.json", config);
    return "prune --model teacher --configurations tc.json --data train.tsv --max-length 16 " +
           more;
  }
  Json read(const std::string& name) const {
    return parse_json(read_file(folder_ / name, 1 << 24), name);
  }
};

TEST_F(PruneTarget, ParametersAndThenTheModelIsUsed) {
  Finished f =
      run(prune(R"({"target": {"parameters": 0.8}, "multiple_of": 4})", "--out out --json"));
  ASSERT_EQ(f.status, 0) << f.error;
  const Json account = read("out/pruning.json");
  EXPECT_LE(account.object("after").integer("parameters"),
            account.object("before").integer("parameters") * 8 / 10);
  EXPECT_EQ(account.object("config").object("target").real("parameters"), 0.8);
  EXPECT_EQ(run("predict --model out", "砚台好\n").status, 0);
  EXPECT_EQ(run("finetune --model out --train train.tsv --out again "
                "--epochs 1 --max-length 16")
                .status,
            0);
  expect_last_line(
      prune(R"({"target": {"parameters": 0.01}})", "--out never"), 1,
      {"target: the smallest that can be reached is", "drop layers or hidden channels"});
  EXPECT_FALSE(fs::exists(folder_ / "never"));
}

// Figures lie beside the page, and never in place of what is read.
TEST_F(PruneTarget, AReportReplacesNothing) {
  const std::string before = R"({"drop_layers": [0]})";
  expect_failure(prune(before, "--out out --report tc.html"), 2,
                 {"--report: its figures would replace tc.json"});
  expect_failure(prune(before, "--out out --report page.json"), 2, {"expected a page such as"});
  expect_failure(prune(before, "--out out --report nowhere/page.html"), 2, {"no folder nowhere"});
  expect_failure(prune(before, "--out out --report /proc/page.html"), 1, {"--report: ", "/proc"});
  expect_failure(prune(before, "--out out --report teacher/page.html"), 2,
                 {"teacher is the model, which is left as it is"});
  expect_failure(prune(before, "--out out --report train.tsv"), 2,
                 {"train.tsv belongs to the input train.tsv"});
  EXPECT_EQ(read_file(folder_ / "tc.json", 1 << 20), before);
  EXPECT_FALSE(fs::exists(folder_ / "out"));
}

// What is left of layer 1 is called layer 0 from then on; pages say where it came from.
TEST_F(PruneTarget, ReportsNameLayersAsTheyWere) {
  const Finished f = run(prune(R"({"drop_layers": [0], "target_num_of_heads": 1})",
                               "--out out --report page.html --json"));
  ASSERT_EQ(f.status, 0) << f.error;
  std::map<std::string, int64_t> left;
  const Json page = read("page.json");
  for (const Json& module : page.array("modules").items())
    left[module.string("name")] = module.integer("parameters_after");
  EXPECT_EQ(left.at("layer 0"), 0);
  EXPECT_GT(left.at("layer 1"), 0);
  EXPECT_EQ(run("report --model pruned=out --data train.tsv --out report.html").status, 0);
}

TEST_F(PruneTarget, ChannelsLayersRecoveryAndTheReport) {
  const Finished f =
      run(prune(R"({"target_hidden_size": 8, "target_num_of_layers": 1, "target_num_of_heads": 1,
                "target_ffn_size": 16, "recovery": {"epochs": 1, "distil": true}})",
                "--out out --speed 2x8 --report page.html --json"));
  ASSERT_EQ(f.status, 0) << f.error;
  EXPECT_EQ(config_of("out").hidden_size, 8);
  EXPECT_EQ(config_of("out").layers(), 1);
  for (const char* part : {"encoding 2 x 8:", "times as fast", "predicted:", "measured_after_ms"})
    EXPECT_NE(f.out.find(part), std::string::npos) << part << " in\n" << f.out;
  EXPECT_NE(f.error.find("recovery: "), std::string::npos) << f.error;
  const Json report = read("page.json");
  const Json& modules = report.array("modules");
  EXPECT_EQ(modules[modules.size() - 1].string("name"), "all");
  EXPECT_EQ(modules[modules.size() - 1].integer("parameters_after"),
            report.object("transformer").object("after").integer("parameters"));
  EXPECT_EQ(report.object("transformer").object("speed").integer("batch"), 2);
  const std::string page = read_file(folder_ / "page.html", 1 << 24);
  for (const char* part : {"Modules", "Speed", "Layers", "Hidden channels", "Heads", "Neurons",
                           "importance before anything went", "importance after step 1 of 3",
                           "importance after step 2 of 3", "share that is kept", "</html>"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
  EXPECT_EQ(run("predict --model out", "砚台好\n").status, 0);
}

TEST_F(PruneTarget, LatencyLeavesItsTableWhichCanBeUsedAgain) {
  // Far above what it takes: nothing has to go, whatever this machine measures.
  const std::string target = R"({"target": {"latency_ms": 100000, "batch": 2, "length": 8)";
  const Finished f = run(prune(target + "}}", "--out out"));
  ASSERT_EQ(f.status, 0) << f.error;
  EXPECT_TRUE(read("out/pruning.json").has("speed"));
  EXPECT_EQ(read("out/cost_table.json").integer("batch"), 2);
  ASSERT_EQ(run(prune(target + R"(, "table": "out/cost_table.json"}})", "--out again")).status, 0);
  EXPECT_EQ(read("again/cost_table.json"), read("out/cost_table.json"));
  write_file(folder_ / "piped.json", target + R"(, "table": "/dev/stdin"}})");
  const Finished piped = shell(
      "cat out/cost_table.json | $INK prune --model teacher --configurations piped.json --data "
      "train.tsv --max-length 16 --out piped");
  EXPECT_EQ(piped.status, 0) << "a pipe can be read once: " << piped.error;
  expect_last_line(
      prune(R"({"target": {"latency_ms": 100000, "length": 8, "table": "out/cost_table.json"}})",
            "--out never"),
      1, {"out/cost_table.json: batch: expected 1, got 2"});
}

TEST_F(PruneTarget, OneReportOfThePipeline) {
  write_file(folder_ / "vc.json", R"({"config_class": "VocabularyPruningConfig"})");
  write_file(folder_ / "pc.json",
             R"({"config_class": "TransformerPruningConfig", "target": {"parameters": 0.9}})");
  const Finished f =
      run("prune --mode pipeline --model teacher --configurations pc.json vc.json --text text.txt "
          "--data train.tsv --max-length 16 --out both --report both.html");
  ASSERT_EQ(f.status, 0) << f.error;
  const Json report = read("both.json");
  EXPECT_TRUE(report.has("transformer") && report.has("vocabulary"));
  EXPECT_FALSE(report.object("vocabulary").has("kept_ids"));
  const std::string page = read_file(folder_ / "both.html", 1 << 24);
  for (const char* part :
       {"Vocabulary", "<td>tokens</td><td>14</td><td>12</td>", "tokens of the text", "unknown",
        "Coverage: 100.0000 % of ", "<td>special</td>", "No token that was counted went"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
}

TEST_F(PruneTarget, AReportOfTheVocabularyAlone) {
  const Finished f =
      run("prune --mode vocabulary --model teacher --text text.txt --out v --report v.html");
  ASSERT_EQ(f.status, 0) << f.error;
  const Json report = read("v.json");
  EXPECT_TRUE(report.has("vocabulary"));
  EXPECT_FALSE(report.has("transformer"));
  EXPECT_NE(read_file(folder_ / "v.html", 1 << 24).find("Vocabulary"), std::string::npos);
}

// What is done all the same, and has no effect.
TEST_F(PruneTarget, SaysWhatIsOfNoUse) {
  write_file(folder_ / "masks.json", R"({"head_mask": [[1, 1], [1, 1]]})");
  const Finished f = run(prune("{}", "--masks masks.json --out out"));
  EXPECT_EQ(f.status, 0) << f.error;
  for (const char* part : {"the masks keep everything, so nothing goes", "(--data) is not read"})
    EXPECT_NE(f.error.find(part), std::string::npos) << f.error;
}

TEST_F(PruneTarget, WithItsShapeKeptAModelIsAsLargeAsBefore) {
  const Finished f = run(prune(R"({"pruning_method": "iterative", "target_num_of_heads": 1})",
                               "--out out --keep-shape"));
  EXPECT_EQ(f.status, 0) << f.error;
  const Json account = read("out/pruning.json");
  EXPECT_EQ(account.object("after"), account.object("before"));
  EXPECT_EQ(account.array("head_mask").size(), 2u);
}

// What the vocabulary loses anyway need not go from heads and neurons.
TEST_F(PruneTarget, ThePipelinesParametersAreThoseThatAreWritten) {
  write_file(folder_ / "few.txt", "砚台好\n");  // 6 of 14 tokens go, 96 parameters
  write_file(folder_ / "pc.json",
             R"({"config_class": "TransformerPruningConfig", "target": {"parameters": 0.7}})");
  const Finished f =
      run("prune --mode pipeline --model teacher --configurations pc.json --text few.txt "
          "--data train.tsv --max-length 16 --out both");
  ASSERT_EQ(f.status, 0) << f.error;
  const Json sizes = read("both/vocabulary_pruning.json").object("parameters");
  const int64_t wanted = sizes.integer("before") * 7 / 10, left = sizes.integer("after");
  EXPECT_LE(left, wanted);
  EXPECT_GT(left, wanted - 40) << "a neuron has 33";
}

// Options and keys that do not go together, told before anything is measured or written.
TEST_F(PruneTarget, WhatDoesNotGoTogether) {
  const auto refused = [&](const char* config, const std::string& more, const char* part) {
    expect_failure(prune(config, "--out never " + more), 1, {part});
    EXPECT_FALSE(fs::exists(folder_ / "never")) << part;
  };
  write_file(folder_ / "masks.json", R"({"head_mask": [[1, 0], [1, 1]]})");
  write_file(folder_ / "none.json", "{}");
  const char* heads = R"({"pruning_method": "iterative", "target_num_of_heads": 1})";
  refused(R"({"target_num_of_heads": 1})", "--masks masks.json", "heeds no targets; set");
  refused(R"({"target_num_of_heads": 1})", "", "set \"pruning_method\": \"iterative\"");
  refused(heads, "--masks masks.json", "leave them out, or set that method");
  refused("{}", "--masks none.json", "none.json: expected head_mask, ffn_mask");
  refused("{}", "--masks masks.json --reference x", "--reference) is read with");
  refused(R"({"target": {"parameters": 0.9}})", "--keep-shape", "stays as large and slow as it is");
  refused(R"({"drop_layers": [0]})", "--keep-shape", "layers and channels cannot be zeroed");
  refused(heads, "--keep-shape --speed 1x8", "zeros take as long as other numbers");
  refused(R"({"target": {"latency_ms": 1, "length": 16, "table": "absent.json"}})", "",
          "absent.json");
}

TEST_F(PruneTarget, AFolderThatCannotBeWrittenIsToldAtOnce) {
  write_file(folder_ / "file", "");
  const Finished f =
      run(prune(R"({"pruning_method": "iterative", "target_num_of_heads": 1})", "--out file/out"));
  EXPECT_EQ(f.status, 1);
  EXPECT_NE(f.error.find("file/out"), std::string::npos) << f.error;
  EXPECT_EQ(f.error.find("step 1"), std::string::npos) << f.error;
  expect_failure(prune(R"({"drop_layers": [0]})", "--out teacher"), 1,
                 {"expected another folder for the result"});
}

TEST_F(PruneTarget, WrongUsage) {
  for (const char* speed : {"32", "32x", "x128", "0x8", "2x8x"})
    expect_failure(
        prune(R"({"target": {"parameters": 0.9}})", "--out never --speed " + std::string(speed)), 2,
        {"--speed: expected sequences and their length", speed});
  for (const char* more :
       {"--speed 1x8", "--data train.tsv", "--masks m.json", "--reference r", "--keep-shape"}) {
    const std::string option = std::string(more).substr(0, std::string(more).find(' '));
    expect_failure(
        "prune --mode vocabulary --model teacher --text text.txt --out v " + std::string(more), 2,
        {option + ": is ", "expected another --mode than vocabulary, or no " + option});
  }
  expect_failure(prune(R"({"target": {"parameters": 0.9}})", "--out never --text text.txt"), 2,
                 {"--text: is what the vocabulary is for; expected another --mode than"});
  expect_last_line(prune(R"({"target": {"parameters": 0.9}})", "--out never --speed 2x33"), 1,
                   {"speed: expected a length of at most 32, got 33"});
  EXPECT_FALSE(fs::exists(folder_ / "never"));
}

}  // namespace
}  // namespace ink
