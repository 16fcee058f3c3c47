// Which of these sentences are alike? Embeddings of a model folder, compared by their cosine.
//
//   build/examples/embed MODEL [TEXT…]   a folder with config.json, model.safetensors, vocab.txt
//   build/examples/embed                 an untrained model: texts that share characters are alike
#include <unistd.h>

#include <filesystem>
#include <iomanip>
#include <iostream>

#include "inkstone.h"

namespace {

namespace fs = std::filesystem;

void make_untrained_model(const std::vector<std::string>& texts, const fs::path& folder) {
  ink::VocabularyBuilder builder({.min_frequency = 1});
  for (const std::string& text : texts) builder.add(text);
  const ink::Tokenizer tokenizer(builder.build());
  ink::ModelConfig config;
  config.vocab_size = tokenizer.vocabulary().size();
  config.hidden_size = 64;
  config.max_position_embeddings = 128;
  config.set_layers(2, 4, 128);
  ink::save_model(ink::Model(config, {.pooler = true}, ink::random_values(ink::Random(7))), folder);
  tokenizer.save(folder);
}

void run(const fs::path& folder, const std::vector<std::string>& texts) {
  const ink::Session session(folder, {.heads = ink::Heads{}});
  ink::Examples examples;
  for (const std::string& text : texts) examples.items.push_back({.text = text});
  const ink::Features features(examples, ink::Tokenizer::load(folder), 128);

  // One vector of length 1 for each text, so products are cosines.
  const ink::Embeddings e = ink::embed(session, features, ink::Pooling::mean, true);
  const ink::Tensor cosines = ink::matmul(e.vectors, e.vectors, false, true);  // (texts, texts)
  std::cout << std::fixed << std::setprecision(3);
  for (size_t i = 0; i < texts.size(); ++i) {
    for (size_t j = 0; j < texts.size(); ++j)
      std::cout << cosines.data<float>()[i * texts.size() + j] << "  ";
    std::cout << texts[i] << '\n';
  }
}

}  // namespace

int main(int count, char** arguments) {
  const fs::path scratch = fs::temp_directory_path() / ("ink_embed_" + std::to_string(::getpid()));
  int status = 0;
  try {
    std::vector<std::string> texts(arguments + std::min(count, 2), arguments + count);
    if (texts.empty()) texts = {"砚台里有墨。", "砚台里的墨干了。", "明天下雨。"};
    if (count < 2) make_untrained_model(texts, scratch);
    run(count < 2 ? scratch : fs::path(arguments[1]), texts);
  } catch (const std::exception& error) {
    std::cerr << "embed: " << error.what() << '\n';
    status = 1;
  }
  fs::remove_all(scratch);
  return status;
}
