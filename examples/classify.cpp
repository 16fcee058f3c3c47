// From nothing to a classifier: vocabulary → untrained BERT → fine-tuning → predictions.
//
//   build/examples/classify                       sorts made-up sentences about food and weather
//   build/examples/classify TRAIN.tsv DEV.tsv     the same with data of yours: label<TAB>text
#include <unistd.h>

#include <filesystem>
#include <iostream>

#include "inkstone.h"

namespace {

namespace fs = std::filesystem;

// Sentences of a grammar so small that half of it predicts the rest.
void write_sentences(const fs::path& path, size_t first) {
  const std::vector<std::string> when = {"今天", "明天", "周末", "早上", "傍晚", "夏天"};
  const std::vector<std::string> food = {"吃面条", "喝绿茶", "煮米饭", "买水果", "炒青菜"};
  const std::vector<std::string> weather = {"下大雨", "刮北风", "出太阳", "起浓雾", "有雷电"};
  std::string text = "label\ttext\n";
  for (size_t i = first; i < when.size() * food.size(); i += 2) {
    text += "food\t" + when[i % when.size()] + food[i / when.size()] + "。\n";
    text += "weather\t" + when[i % when.size()] + weather[i / when.size()] + "。\n";
  }
  ink::write_file(path, text);
}

// A folder with a small BERT that knows the characters of `examples` and nothing else.
void make_untrained_model(const ink::Examples& examples, const fs::path& folder) {
  ink::VocabularyBuilder builder({.min_frequency = 1});
  for (const ink::Example& e : examples.items) builder.add(e.text);
  const ink::Tokenizer tokenizer(builder.build());

  ink::ModelConfig config;
  config.vocab_size = tokenizer.vocabulary().size();
  config.hidden_size = 64;
  config.max_position_embeddings = 128;
  config.set_layers(2, 4, 128);  // layers, heads, width of the feed-forward part
  ink::save_model(ink::Model(config, {.pooler = true}, ink::random_values(ink::Random(7))), folder);
  tokenizer.save(folder);
}

void run(const fs::path& train, const fs::path& dev, const fs::path& folder) {
  make_untrained_model(ink::read_examples(train), folder / "untrained");

  ink::FinetuneOptions options;
  options.model = folder / "untrained";
  options.out = folder / "classifier";
  options.data.train = train;
  options.data.dev = dev;
  options.fit.epochs = 20;
  options.fit.batch_size = 8;
  options.fit.learning_rate = 2e-3;
  const ink::FinetuneResult result = ink::finetune(options);
  std::cout << "accuracy " << 100 * result.dev.score << " % on " << result.dev_examples
            << " examples, best after step " << result.training.best_step << '\n';

  // What was written is a model folder like any other.
  const ink::Session session(folder / "classifier");
  const ink::Labels labels = ink::labels_of(session.model().config);
  const ink::Examples examples = ink::read_examples(dev, {}, &labels);
  const ink::Features features(examples, ink::Tokenizer::load(folder / "classifier"), 128);
  const ink::Predictions predictions = ink::predict(session.model(), features);
  for (size_t i = 0; i < std::min<size_t>(examples.size(), 5); ++i) {
    const int32_t label = predictions.labels[i];
    std::cout << examples.items[i].text << " → " << labels.name(label) << ' '
              << predictions.of(static_cast<int64_t>(i))[static_cast<size_t>(label)] << '\n';
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 1 && count != 3) return std::cerr << "usage: classify [TRAIN.tsv DEV.tsv]\n", 2;
  const fs::path folder =
      fs::temp_directory_path() / ("ink_classify_" + std::to_string(::getpid()));
  int status = 0;
  try {
    fs::path train = folder / "train.tsv", dev = folder / "dev.tsv";
    ink::create_folders(folder);
    if (count == 3) {
      train = arguments[1];
      dev = arguments[2];
    } else {
      write_sentences(train, 0);
      write_sentences(dev, 1);
    }
    run(train, dev, folder);
  } catch (const std::exception& error) {
    std::cerr << "classify: " << error.what() << '\n';
    status = 1;
  }
  fs::remove_all(folder);
  return status;
}
