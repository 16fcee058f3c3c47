// When trainings of tasks are evaluated, what they keep, and several teachers, through the program.
#include "tests/cli/program.h"

namespace ink {
namespace {

class Evaluations : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    ASSERT_EQ(pretrain().status, 0);
    ASSERT_EQ(run(kTune + "--epochs 1 --out one").status, 0);
  }
  // The folders of a run beside the model itself, as "gs10 training".
  std::string folders_in(const char* out) const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_ / out))
      if (entry.is_directory()) names.push_back(entry.path().filename().string());
    std::ranges::sort(names);
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
    return text;
  }
  // Of 6 examples, 2 a batch: 3 steps an epoch.
  Finished distill(const std::string& training, const std::string& more = "") const {
    write_file(folder_ / "d.json", R"({"student": {"layers_from_teacher": [0]},
        "TrainingConfig": {"batch_size": 2, )" +
                                       training + "}}");
    return run("distill --config d.json --train train.tsv --dev train.tsv --out student --json " +
               (more.empty() ? "--teacher one" : more));
  }
  const std::string kTune = "finetune --model base --train train.tsv --dev train.tsv --json ";
};

TEST_F(Evaluations, FineTuningCountsStepsKeepsAndEnds) {
  const Finished f = run(kTune +
                         "--steps 8 --batch-size 2 --evaluate-every 2 --keep-best 2 "
                         "--learning-rate 0.0000001 --tensorboard --out two");
  ASSERT_EQ(f.status, 0) << f.error;
  EXPECT_NE(f.out.find(R"("step": 8)"), std::string::npos) << f.out;
  EXPECT_EQ(folders_in("two"), "gs2 gs4 training") << "of equal ones the first";
  size_t events = 0;
  for (const auto& entry : fs::directory_iterator(folder_ / "two/training"))
    events += entry.path().filename().string().starts_with("events.out.tfevents");
  EXPECT_EQ(events, 1u);
  const Finished early = run(kTune +
                             "--steps 80 --batch-size 2 --evaluate-every 2 --early-stop 3 "
                             "--learning-rate 0.0000001 --out early");
  EXPECT_NE(early.out.find(R"("step": 8)"), std::string::npos) << early.out << early.error;
}

TEST_F(Evaluations, DistillationWritesCheckpointsByTextBrewersKeys) {
  EXPECT_EQ(distill(R"("num_epochs": 1)").status, 0);
  EXPECT_EQ(folders_in("student"), "training");
  fs::remove_all(folder_ / "student");
  const Finished f = distill(R"("num_epochs": 4, "ckpt_frequency": 2, "ckpt_epoch_frequency": 2,
      "log_dir": "events")");
  ASSERT_EQ(f.status, 0) << f.error;
  EXPECT_EQ(folders_in("student"), "gs10 gs12 gs4 gs6 training");
  EXPECT_FALSE(fs::is_empty(folder_ / "events"));
  EXPECT_EQ(run("evaluate --model student/gs4 --data train.tsv").status, 0);
  fs::remove_all(folder_ / "student");
  ASSERT_EQ(distill(R"("num_steps": 10, "ckpt_steps": 4)").status, 0);
  EXPECT_EQ(folders_in("student"), "gs10 gs4 gs8 training");
  fs::remove_all(folder_ / "student");
  ASSERT_EQ(distill(R"("num_steps": 9, "ckpt_steps": 2, "keep_best": 1, "early_stop": 2,
      "learning_rate": 1e-9)")
                .status,
            0);
  EXPECT_EQ(folders_in("student"), "training");

  const auto refused = [&](const char* training, const char* message) {
    const Finished r = distill(training);
    EXPECT_EQ(r.status, 2) << r.out;
    EXPECT_NE(r.error.find(message), std::string::npos) << r.error;
  };
  refused(R"("num_steps": 9, "num_epochs": 2)", "expected num_steps or num_epochs, got both");
  refused(R"("num_epochs": 2, "ckpt_steps": 2)", "expected ckpt_frequency with num_epochs");
  refused(R"("num_steps": 2, "ckpt_frequency": 2)", "expected ckpt_steps with num_steps");
  refused(R"("keep_bests": 2)", "did you mean 'keep_best'?");
}

TEST_F(Evaluations, SeveralTeachersTeach) {
  ASSERT_EQ(run(kTune + "--epochs 3 --seed 2 --out two").status, 0);
  const Finished f = distill(R"("num_epochs": 1)", "--teacher one two");
  ASSERT_EQ(f.status, 0) << f.error;
  for (const char* part : {"(teachers ", " %, on average ", " %, together ", R"("teachers": [{)",
                           R"("ensemble": {"accuracy": )"})
    EXPECT_NE(f.out.find(part), std::string::npos) << part << " in\n" << f.out;
  fs::remove_all(folder_ / "student");
  write_file(folder_ / "d.json", R"({"teacher": ["one", "two"], "teacher_weights": [2, 1, 1],
      "student": {"layers_from_teacher": [0]}, "TrainingConfig": {"num_epochs": 1}})");
  expect_failure("distill --config d.json --train train.tsv --dev train.tsv --out student", 1,
                 {"expected a weight for each of 2 teachers", "got 3"});
}

}  // namespace
}  // namespace ink
