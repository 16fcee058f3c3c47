// The page about finished runs: what it measures, and accounts of pruning that do not fit.
#include "tensor/json.h"
#include "tests/cli/program.h"

namespace ink {
namespace {

class Reports : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    ASSERT_EQ(pretrain().status, 0);
    ASSERT_EQ(finetune("base", "teacher").status, 0);
  }
  Finished finetune(const std::string& from, const std::string& to) const {
    return run("finetune --max-length 32 --model " + from +
               " --train train.tsv --dev train.tsv --out " + to + " --epochs 1");
  }
};

constexpr const char* kReport = "report --max-length 32 --data train.tsv --out r.html --model ";

TEST_F(Reports, EachModelReadsTheIdsOfItsOwnVocabulary) {
  std::string long_vocabulary = read_file(folder_ / "vocab.txt", 1 << 20);
  for (char c = 'a'; c <= 'z'; ++c) long_vocabulary += std::string(1, c) + "\n";
  long_vocabulary += "大\n";
  write_file(folder_ / "more_words.txt", long_vocabulary);
  ASSERT_EQ(run("pretrain --objective mlm --architecture small.json --vocab more_words.txt --text "
                "long.txt --out wide --steps 2 --held-out 0 --batch-tokens 64 --max-length 32")
                .status,
            0);
  write_file(folder_ / "train.tsv", "good\t砚台好大\nbad\t墨坏大\n");
  ASSERT_EQ(finetune("wide", "wider").status, 0);
  const Finished f = run(std::string(kReport) + "small=teacher large=wider --json");
  EXPECT_EQ(f.status, 0) << f.error;
}

TEST_F(Reports, CountsTheExamplesItMeasuresOn) {
  EXPECT_EQ(run(std::string(kReport) + "a=teacher").status, 0);
  EXPECT_NE(read_file(folder_ / "r.html", 1 << 24).find(">6 examples;"), std::string::npos);
}

TEST_F(Reports, ReadsColumnsAsTheOtherVerbsDo) {
  write_file(folder_ / "swapped.tsv", "砚台好\tgood\n砚台坏\tbad\n");
  const Finished f =
      run("report --max-length 32 --data swapped.tsv --train swapped.tsv --columns text,label "
          "--out r.html --model a=teacher");
  EXPECT_EQ(f.status, 0) << f.error;
}

TEST_F(Reports, KnowsWhatToShowBeforeItMeasures) {
  expect_failure("report --out r.html", 2, {"report: expected --run, --model or both"});
  EXPECT_FALSE(fs::exists(folder_ / "r.html"));
  expect_failure(std::string(kReport) + "a=teacher a=base", 2,
                 {"--model: expected different names, got 'a' twice"});
  expect_failure("report --run a=teacher a=base", 2,
                 {"--run: expected different names, got 'a' twice"});
  expect_failure(std::string(kReport) + "a=teacher b=absent", 1,
                 {"--model: there is no folder absent"});
  EXPECT_EQ(run(std::string(kReport) + "a=teacher --run a=teacher").status, 0);
}

TEST_F(Reports, GatherWhatDistillationLeft) {
  write_file(folder_ / "d.json", R"({"teacher": "teacher", "train": "train.tsv", "dev": "train.tsv",
      "student": {"layers_from_teacher": [0]}, "max_length": 32,
      "TrainingConfig": {"output_dir": "student", "num_epochs": 1}})");
  ASSERT_EQ(run("distill --config d.json").status, 0);
  const Finished f = run(std::string(kReport) + "small=student --run student=student --json");
  ASSERT_EQ(f.status, 0) << f.error;
  const Json result = parse_json(f.out.substr(f.out.rfind("\n{") + 1), "result");
  const Json& gathered = result.object("distillations");
  EXPECT_EQ(gathered.members().size(), 1u) << "a folder is shown once";
  EXPECT_EQ(gathered.object("student").array("models").size(), 2u);
  const std::string page = read_file(folder_ / "r.html", 1 << 24);
  for (const char* part : {"<h2>Distillation</h2>", "<td>teacher</td>", "<td>distilled</td>"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
}

// A loss of positions is none of tokens, and a discriminator's none of its generator.
TEST_F(Reports, HaveAPanelForEveryObjective) {
  write_file(
      folder_ / "electra.json",
      R"({"model_type":"electra","embedding_size":16,"hidden_size":16,"num_hidden_layers":1,)"
      R"("num_attention_heads":2,"intermediate_size":32,"max_position_embeddings":32})");
  const auto page = [&](const std::string& objective, const std::string& architecture) {
    const Finished f = run("pretrain --objective " + objective + " --architecture " + architecture +
                           " --vocab vocab.txt --text long.txt --dictionary words.txt --out " +
                           objective + " --steps 6 --held-out 0.3 --batch-tokens 64 --max-length " +
                           "32 --log-every 1 --evaluate-every 2");
    EXPECT_EQ(f.status, 0) << f.error;
    EXPECT_EQ(run("report --out r.html --run a=" + objective).status, 0);
    return read_file(folder_ / "r.html", 1 << 24);
  };
  const auto panels = [](const std::string& html) {
    std::vector<std::string> titles;
    const std::string begin = "class='title'";
    for (size_t at = html.find(begin); at != std::string::npos; at = html.find(begin, at + 1)) {
      const size_t from = html.find('>', at) + 1;
      titles.push_back(html.substr(from, html.find('<', from) - from));
    }
    return titles;
  };
  using Titles = std::vector<std::string>;
  const Titles rest{"learning rate", "gradient norm"};
  const auto with_rest = [&](Titles all) {
    all.insert(all.end(), rest.begin(), rest.end());
    return all;
  };
  const std::string perlm = page("perlm,sop", "small.json");
  EXPECT_EQ(panels(perlm),
            with_rest({"loss, the weighted sum of all in training", "loss: positions",
                       "loss: pairs of texts", "accuracy: positions", "accuracy: pairs of texts"}));
  EXPECT_EQ(panels(page("rtd", "electra.json")),
            with_rest({"loss, the weighted sum of all in training",
                       "loss: original tokens (the generator)", "loss: replaced tokens",
                       "accuracy: original tokens (the generator)", "accuracy: replaced tokens"}));
  EXPECT_EQ(panels(page("wwm", "small.json")),
            with_rest({"loss: original tokens", "accuracy: original tokens"}));
  const size_t panel = perlm.find("loss: positions");
  const std::string svg = perlm.substr(panel, perlm.find("</svg>", panel) - panel);
  EXPECT_NE(svg.find("training"), std::string::npos);
  EXPECT_NE(svg.find("held out"), std::string::npos) << "PerLM has a curve of its own";
  EXPECT_NE(perlm.find("always its own place"), std::string::npos) << "beside its accuracy";
}

TEST_F(Reports, RefusesAccountsOfOtherModels) {
  const auto refused = [&](const std::string& account, const std::string& part) {
    write_file(folder_ / "teacher" / "pruning.json", account);
    expect_last_line(std::string(kReport) + "a=teacher", 1, {"pruning.json", part});
  };
  refused(R"({"head_importance":[[1,2],[1,2]],"head_mask":[[1,1],[1]]})", "layer 1");
  refused(R"({"head_importance":[[1,2],[1]],"head_mask":[[1,1],[1,1]]})", "layer 1");
  refused(R"({"head_importance":[[1,2]],"head_mask":[[1,1]]})", "2 layers");
  refused(R"({"head_importance":[[1,2],[1,2]],"head_mask":[[1,1],[1,0]]})", "2 heads");
  refused(R"({"head_importance":[[1,2],[1,"x"]],"head_mask":[[1,1],[1,1]]})", "number");
  write_file(folder_ / "teacher" / "pruning.json",
             R"({"head_importance":[[1,2,3],[1,2,0]],"head_mask":[[1,1,0],[1,0,1]]})");
  EXPECT_EQ(run(std::string(kReport) + "a=teacher").status, 0);
}

}  // namespace
}  // namespace ink
