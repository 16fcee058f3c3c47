// Wiring: every option of a training reaches what it is said to set. Checkpoints, logs and results
// say what a job was told; all values differ, so that no two options can stand for each other.
#include <set>
#include <sstream>

#include "autograd/training_log.h"
#include "tensor/json.h"
#include "tests/cli/program.h"

namespace ink {
namespace {

// An option, its value, and where it shows as what. One without option shows in another place what
// an earlier one, or a file, has set; one without place is needed for the run to succeed.
struct Row {
  std::string option, value, place, shown;
};

std::string arguments_of(const std::vector<Row>& rows) {
  std::string all;
  for (const Row& row : rows)
    if (!row.option.empty()) all += " " + row.option + " " + row.value;
  return all;
}

// The value at "settings.warmup" or "matches.0.loss", as JSON; "absent" where there is none.
std::string shown_at(const Json& facts, const std::string& place) {
  const Json* at = &facts;
  std::istringstream keys(place);
  for (std::string key; std::getline(keys, key, '.');) {
    if (at->is_array())
      at = std::stoul(key) < at->size() ? &(*at)[std::stoul(key)] : nullptr;
    else
      at = at->find(key);
    if (!at) return "absent";
  }
  return at->to_string();
}

void expect_shown(const Json& facts, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    if (row.place.empty()) continue;
    EXPECT_EQ(shown_at(facts, row.place), row.shown) << row.option << " at " << row.place;
  }
}

class Wiring : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    std::string many, few;
    for (int i = 0; i < 40; ++i) many += i % 2 ? "砚台好\tgood\n" : "坏墨\tbad\n";
    for (int i = 0; i < 6; ++i) few += i % 2 ? "墨好\tgood\n" : "纸坏\tbad\n";
    write_file(folder_ / "many.tsv", many);
    write_file(folder_ / "few.tsv", few);
  }

  Json read(const fs::path& file) const {
    return parse_json(read_file(folder_ / file, 1 << 24), file.string());
  }

  // What the run says at its end.
  Json result_of(const std::string& arguments) const {
    const Finished f = run(arguments + " --json");
    EXPECT_EQ(f.status, 0) << f.error;
    if (f.status != 0) return Json::make_object();
    const size_t last = f.out.rfind('\n', f.out.size() - 2);
    return parse_json(f.out.substr(last == std::string::npos ? 0 : last + 1), "result");
  }

  // The same; what its newest checkpoint and its log say; steps that are logged, measured and kept.
  Json facts_of(const std::string& arguments, const std::string& out) const {
    Json facts = Json::make_object({{"result", result_of(arguments)}});
    const fs::path folder = folder_ / out / "training";
    std::set<std::string> kept;
    for (const auto& entry : fs::directory_iterator(folder))
      if (entry.is_directory()) kept.insert(entry.path().filename().string());
    Json logged = Json::make_array(), measured = logged, checkpoints = logged;
    for (const Json& line : read_training_log(folder / "log.jsonl"))
      (line.has("evaluation") ? measured : logged).append(line.integer("step"));
    for (const std::string& name : kept) {
      const Json state = read(folder / name / "trainer.json");
      checkpoints.append(state.integer("step"));
      facts.set("settings", state["settings"]).set("data", state["data"]);
    }
    Json models = Json::make_array();
    for (const auto& entry : fs::directory_iterator(folder_ / out))
      if (entry.path().filename().string().starts_with("step-"))
        models.append(entry.path().filename().string());
    facts.set("models", models);
    return facts.set("logged", logged).set("measured", measured).set("checkpoints", checkpoints);
  }

  // Every option of --help is in the table or is one of `others`; none has its default value or
  // that of another.
  void expect_complete(const std::string& verb, const std::vector<Row>& rows,
                       std::set<std::string> others) const {
    for (const char* name :
         {"--config", "--device", "--dtype", "--json", "--offline", "--out", "--revision"})
      others.insert(name);
    const std::string help = run(verb + " --help").out;
    size_t met = 0;
    for (size_t at = help.find("\n  --"); at != std::string::npos;) {
      const size_t next = help.find("\n  --", at + 1);
      const std::string option = help.substr(at + 3, next - at - 3);
      const std::string name = option.substr(0, option.find_first_of(" \n"));
      at = next;
      if (others.contains(name)) continue;
      const auto row = std::ranges::find(rows, name, &Row::option);
      ASSERT_NE(row, rows.end()) << verb << " " << name << " is not tested";
      EXPECT_EQ(option.find("(default " + row->value + ")"), std::string::npos) << name;
      ++met;
    }
    std::set<std::string> options, values;
    for (const Row& row : rows) {
      if (row.option.empty()) continue;
      options.insert(row.option);
      EXPECT_TRUE(row.value.empty() || values.insert(row.value).second) << verb << row.option;
    }
    EXPECT_EQ(met, options.size()) << verb;
  }
};

TEST_F(Wiring, Pretrain) {
  const std::string objective = "data.made_of.objective.", data = "data.made_of.data.";
  const std::vector<Row> rows = {
      {"--objective", "mlm,nsp", objective + "whole_words", "false"},
      {"", "", data + "pair_task", R"("next_sentence")"},
      {"--cased", "", data + "tokenizer.lower_case", "false"},
      {"--mask-fraction", "0.31", objective + "mask_fraction", "0.31"},
      {"--mask-share", "0.62", objective + "mask_share", "0.62"},
      {"--keep-share", "0.23", objective + "keep_share", "0.23"},
      {"--short-probability", "0.44", data + "short_probability", "0.44"},
      {"--max-predictions", "9", objective + "max_predictions", "9"},
      {"--duplicates", "8", data + "duplicates", "8"},
      {"--max-length", "29", data + "max_tokens", "29"},
      {"--batch-tokens", "61", data + "batch_tokens", "61"},
      {"--held-out", "0.34", data + "held_out", "0.34"},
      {"--held-out-tokens", "57", data + "held_out_tokens", "57"},
      {"--accumulate", "4", "settings.accumulate", "4"},
      {"--steps", "7", "settings.schedule_steps", "7"},
      {"--learning-rate", "0.013", "settings.learning_rate", "0.013"},
      {"--warmup", "0.72", "settings.warmup", "5"},
      {"--schedule", "cosine", "settings.decay", R"("cosine")"},
      {"--optimizer", "lamb", "settings.optimizer", R"("lamb")"},
      {"--weight-decay", "0.17", "settings.weight_decay", "0.17"},
      {"--no-bias-correction", "", "settings.bias_correction", "false"},
      {"--beta1", "0.81", "settings.beta1", "0.81"},
      {"--beta2", "0.95", "settings.beta2", "0.95"},
      {"--epsilon", "0.00025", "settings.epsilon", "0.00025"},
      {"--clip", "0.53", "settings.clip_norm", "0.53"},
      {"--seed", "11", "settings.seed", R"("11")"},
      {"--log-every", "6", "logged", "[6, 7]"},
      {"--evaluate-every", "5", "measured", "[5, 7]"},
      {"--checkpoint-every", "2", "checkpoints", "[4, 6, 7]"},
      {"--keep-checkpoints", "3", "checkpoints", "[4, 6, 7]"},
      {"--save-at", "1", "models", R"(["step-1"])"},
      {"--threads", "12", "result.threads", "12"},
  };
  expect_shown(facts_of("pretrain --architecture small.json --vocab vocab.txt --text long.txt "
                        "--out base" +
                            arguments_of(rows),
                        "base"),
               rows);
  expect_complete(
      "pretrain", rows,
      {"--graphs",         "--fill",           "--text",           "--model",     "--architecture",
       "--vocab",          "--dictionary",     "--resume",         "--recompute", "--stages",
       "--tensorboard",    "--ngram",          "--replace",        "--similar",   "--nearest",
       "--fallback-share", "--pert-label",     "--granularity",    "--predict",   "--space",
       "--scale",          "--generator-size", "--replaced-weight"});  // of others
}

TEST_F(Wiring, OptionsOfObjectives) {
  write_file(folder_ / "similar", "砚台\t墨纸 0.9\n");
  write_file(
      folder_ / "electra.json",
      R"({"model_type":"electra","embedding_size":16,"hidden_size":16,"num_hidden_layers":1,)"
      R"("num_attention_heads":2,"intermediate_size":32,"max_position_embeddings":32})");
  int runs = 0;
  const auto expect = [&](const std::string& arguments, const std::vector<Row>& rows) {
    const std::string out = "base" + std::to_string(runs++);
    expect_shown(facts_of("pretrain --vocab vocab.txt --text long.txt --dictionary words.txt "
                          "--steps 1 --held-out 0 --max-length 20 --batch-tokens 60 --out " +
                              out + " " + arguments + arguments_of(rows),
                          out)
                     .object("data")
                     .object("made_of")
                     .object("objective"),
                 rows);
  };
  expect("--architecture small.json --objective perlm",
         {{"--pert-label", "forward", "label", R"("forward")"},
          {"--granularity", "sentence", "granularity", R"("sentence")"},
          {"--predict", "full", "predict", R"("full")"},
          {"--space", "both", "space", R"("both")"},
          {"--scale", "0.5", "scale", "0.5"},
          {"--ngram", "0.5,0.25,0.25", "ngrams", "[0.5, 0.25, 0.25]"}});
  expect("--architecture small.json --objective mac,sop --similar similar",
         {{"--nearest", "3", "nearest", "3"},
          {"--fallback-share", "0.25", "fallback_share", "0.25"},
          {"", "", "random_words", "true"},
          {"", "", "task", R"("mac")"}});
  expect("--architecture small.json --objective mac --replace mask",
         {{"", "", "task", R"("masked")"},
          {"", "", "mask_share", "0.9"},
          {"", "", "keep_share", "0.1"}});
  expect("--architecture electra.json --objective rtd",
         {{"--generator-size", "0.5", "generator_size", "0.5"},
          {"--replaced-weight", "20", "replaced_weight", "20.0"},
          {"", "", "mask_share", "0.85"}});
}

TEST_F(Wiring, TaskTrainings) {
  ASSERT_EQ(pretrain().status, 0);
  const std::vector<Row> tuning = {
      {"--columns", "text,label", "data.architecture.id2label.0", R"("bad")"},
      {"--dev-fraction", "0.4", "result.examples", "16"},
      {"--max-length", "13", "data.max_length", "13"},
      {"--dropout", "0.37", "data.architecture.classifier_dropout", "0.37"},
      {"--layer-decay", "0.83", "data.layer_decay", "0.83"},
      {"--epochs", "4", "data.epochs", "4"},
      {"--batch-size", "5", "data.batch_size", "5"},
      {"--batch-tokens", "47", "data.max_tokens", "47"},
      {"--accumulate", "2", "settings.accumulate", "2"},
      {"--learning-rate", "0.0031", "settings.learning_rate", "0.0031"},
      {"--warmup", "0.61", "settings.warmup", "6"},
      {"", "", "settings.schedule_steps", "10"},
      {"--weight-decay", "0.019", "settings.weight_decay", "0.019"},
      {"--clip", "0.7", "settings.clip_norm", "0.7"},
      {"--log-every", "7", "logged", "[7, 10]"},
      {"--evaluate-every", "6", "measured", "[6, 10]"},
      {"--seed", "11", "settings.seed", R"("11")"},
      {"--threads", "3", "result.threads", "3"},
  };
  expect_shown(facts_of("finetune --model base --train many.tsv --out tuned" + arguments_of(tuning),
                        "tuned"),
               tuning);
  expect_complete("finetune", tuning,
                  {"--model", "--train", "--dev", "--task", "--new-labels", "--resume",
                   "--recompute", "--graphs", "--fill", "--steps", "--early-stop", "--keep-best",
                   "--tensorboard"});  // these: evaluations_test.cpp

  write_file(folder_ / "distill.json", R"({"student": {"layers_from_teacher": [0]},
      "TrainingConfig": {"gradient_accumulation_steps": 3, "num_epochs": 2, "batch_size": 5,
        "learning_rate": 0.0037, "warmup_proportion": 0.8, "weight_decay": 0.023,
        "max_grad_norm": 0.9, "seed": 12},
      "DistillationConfig": {"temperature": 7.5, "hard_label_weight": 0.21, "kd_loss_weight": 0.77,
        "kd_loss_type": "mse"},
      "teacher_cache": {"folder": "cache", "dtype": "bf16", "top_k": 2, "rebuild": true}})");
  const std::string distillation = "data.distillation.";
  const std::vector<Row> distilling = {
      {"--columns", "text,label", "", ""},
      {"--dev", "few.tsv", "result.examples", "6"},
      {"--max-length", "13", "data.max_length", "13"},
      {"--match-evenly", "cos", distillation + "intermediate_matches.0.loss", R"("cos")"},
      {"--threads", "3", "result.threads", "3"},
      {"--seed", "11", "settings.seed", R"("11")"},
      {"", "", "settings.accumulate", "3"},
      {"", "", "data.epochs", "2"},
      {"", "", "data.batch_size", "5"},
      {"", "", "settings.learning_rate", "0.0037"},
      {"", "", "settings.warmup", "4"},
      {"", "", "settings.schedule_steps", "6"},
      {"", "", "settings.weight_decay", "0.023"},
      {"", "", "settings.clip_norm", "0.9"},
      {"", "", distillation + "temperature", "7.5"},
      {"", "", distillation + "hard_label_weight", "0.21"},
      {"", "", distillation + "kd_loss_weight", "0.77"},
      {"", "", distillation + "kd_loss_type", R"("mse")"},
      {"", "", "data.teacher_outputs.dtype", R"("bf16")"},
      {"", "", "data.teacher_outputs.top_k", "2"},
  };
  const std::string distill = "distill --config distill.json --teacher tuned --train many.tsv ";
  expect_shown(facts_of(distill + "--out student" + arguments_of(distilling), "student"),
               distilling);
  expect_shown(facts_of(distill + "--out seeded --columns text,label", "seeded"),
               {{"", "", "settings.seed", R"("12")"}});
  write_file(folder_ / "text.json", R"({"student": {"layers_from_teacher": [0]},
      "TrainingConfig": {"gradient_accumulation_steps": 3, "learning_rate": 0.0037,
        "warmup_proportion": 0.8, "weight_decay": 0.023, "max_grad_norm": 0.9}})");
  const std::string objective = "data.made_of.objective.", data = "data.made_of.data.";
  const std::vector<Row> on_text = {
      {"--objective", "mlm,pair", data + "pair_task", R"("unasked")"},
      {"--loss-preset", "MiniLM", "data.made_of.lesson.distillation.intermediate_matches.0.loss",
       R"("minilm_query_key")"},
      {"--mask-fraction", "0.31", objective + "mask_fraction", "0.31"},
      {"--mask-share", "0.62", objective + "mask_share", "0.62"},
      {"--keep-share", "0.23", objective + "keep_share", "0.23"},
      {"--short-probability", "0.44", data + "short_probability", "0.44"},
      {"--max-predictions", "9", objective + "max_predictions", "9"},
      {"--duplicates", "8", data + "duplicates", "8"},
      {"--batch-tokens", "61", data + "batch_tokens", "61"},
      {"--held-out", "0.34", data + "held_out", "0.34"},
      {"--held-out-tokens", "57", data + "held_out_tokens", "57"},
      {"--steps", "7", "settings.schedule_steps", "7"},
      {"", "", "settings.accumulate", "3"},
      {"", "", "settings.learning_rate", "0.0037"},
      {"", "", "settings.warmup", "5"},
      {"", "", "settings.weight_decay", "0.023"},
      {"", "", "settings.clip_norm", "0.9"},
      {"--log-every", "6", "logged", "[6, 7]"},
      {"--evaluate-every", "5", "measured", "[5, 7]"},
      {"--checkpoint-every", "2", "checkpoints", "[2, 4, 6, 7]"},
      {"--keep-checkpoints", "4", "checkpoints", "[2, 4, 6, 7]"},
      {"--save-at", "1", "models", R"(["step-1"])"},
  };
  expect_shown(facts_of("distill --config text.json --teacher base --text long.txt --max-length 29 "
                        "--out resembling" +
                            arguments_of(on_text),
                        "resembling"),
               on_text);
  std::vector<Row> all = distilling;
  all.insert(all.end(), on_text.begin(), on_text.end());
  expect_complete(
      "distill", all,
      {"--teacher",        "--train",          "--task",           "--resume",  "--recompute",
       "--explain",        "--layer-map",      "--text",           "--stages",  "--tensorboard",
       "--dictionary",     "--ngram",          "--replace",        "--similar", "--nearest",
       "--pert-label",     "--granularity",    "--predict",        "--space",   "--scale",
       "--fallback-share", "--generator-size", "--replaced-weight"});  // those of pretrain

  write_file(folder_ / "prune.json",
             R"({"pruning_method": "iterative", "target_num_of_heads": 1, "target_ffn_size": 24,
      "n_iters": 3})");
  const std::vector<Row> pruning = {
      {"--columns", "text,label", "", ""},
      {"--max-length", "13", "account.measured.max_length", "13"},
      {"--batch-size", "5", "account.measured.batch_size", "5"},
      {"--max-examples", "9", "account.measured.max_examples", "9"},
      {"--threads", "3", "result.threads", "3"},
      {"--speed", "2x7", "account.speed.length", "7"},
      {"", "", "account.speed.batch", "2"},
      {"", "", "account.config.n_iters", "3"},
      {"", "", "result.heads_per_layer", "[1, 1]"},
      {"", "", "result.ffn_per_layer", "[24, 24]"},
  };
  Json facts = Json::make_object(
      {{"result", result_of("prune --model tuned --configurations prune.json --data few.tsv --out "
                            "pruned" +
                            arguments_of(pruning))}});
  expect_shown(facts.set("account", read("pruned/pruning.json")), pruning);
  expect_complete(
      "prune", pruning,
      {"--mode", "--model", "--configurations", "--data", "--masks", "--text", "--tokens", "--task",
       "--seed", "--reference", "--keep-shape", "--report"});  // tests/cli/prune_target_test.cpp

  const Json zeroed = result_of(
      "prune --model tuned --configurations prune.json --data few.tsv --columns text,label "
      "--keep-shape --out zeroed");
  EXPECT_EQ(zeroed["heads_per_layer"].to_string(), "[2, 2]");
  EXPECT_TRUE(read("zeroed/pruning.json").object("measured").boolean("keep_shape"));
}

}  // namespace
}  // namespace ink
