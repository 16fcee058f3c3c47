// Pre-training in stages from the command line, the models it keeps, and what shows it.
#include "tests/cli/program.h"

namespace ink {
namespace {

class Stages : public Cli {
 protected:
  static constexpr const char* kPretrain =
      "pretrain --objective mlm,nsp --architecture small.json --vocab vocab.txt --text long.txt "
      "--out base --steps 6 --held-out 0.4 --batch-tokens 64 --log-every 1 ";
};

TEST_F(Stages, AreLoggedSavedAndShown) {
  const Finished f = run(std::string(kPretrain) +
                         "--stages 12:0.5,32:0.5 --save-at 2,4 --evaluate-every 2 --tensorboard");
  ASSERT_EQ(f.status, 0) << f.error;
  EXPECT_TRUE(fs::exists(folder_ / "base/step-2/model.safetensors"));
  EXPECT_TRUE(fs::exists(folder_ / "base/step-4/vocab.txt"));
  int events = 0;
  for (const auto& entry : fs::directory_iterator(folder_ / "base/training"))
    events += entry.path().filename().string().starts_with("events.out.tfevents.");
  EXPECT_EQ(events, 1);
  const Finished report = run("report --run base=base --out r.html");
  ASSERT_EQ(report.status, 0) << report.error;
  EXPECT_EQ(report.out, "");  // a table of no models
  const std::string page = read_file(folder_ / "r.html", 1 << 24);
  for (const char* part : {"longest sequence in tokens", "accuracy: original tokens", ">held out<",
                           "accuracy: pairs of texts"}) {
    EXPECT_NE(page.find(part), std::string::npos) << part;
  }
}

TEST_F(Stages, WithoutThemNothingOfThemShows) {
  ASSERT_EQ(run(kPretrain).status, 0);
  ASSERT_EQ(run("report --run base=base --out r.html").status, 0);
  EXPECT_EQ(read_file(folder_ / "r.html", 1 << 24).find("longest sequence"), std::string::npos);
  for (const auto& entry : fs::directory_iterator(folder_ / "base/training"))
    EXPECT_FALSE(entry.path().filename().string().starts_with("events")) << entry.path();
}

TEST_F(Stages, WhatIsNoListIsRefused) {
  const auto refused = [&](const std::string& options, int status, const std::string& part) {
    expect_failure(kPretrain + options, status, {"pretrain: ", part});
  };
  refused("--stages 12", 2, "--stages: expected LENGTH:SHARE, such as 128:0.9,512:0.1, got '12'");
  refused("--stages 12:1 --max-length 9", 2, "expected either --max-length or --stages");
  refused("--stages 12:0.5,", 2, "--stages: expected LENGTH:SHARE");
  refused("--stages 12:half", 2, "--stages: expected a number");
  refused("--stages 12:0.5,33:0.5", 2, "expected from 4 to 32 tokens");
  refused("--stages 12:0.5,32:0.4", 1, "add up to 1, got 0.9");
  refused("--save-at 2,x", 2, "--save-at: expected a whole number");
  refused("--save-at 7", 1, "expected to save at steps from 0 to 6, got 7");
}

}  // namespace
}  // namespace ink
