import java.util.Arrays;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.Stores;

/** The two topologies of topology.go on Kafka Streams. Arguments: CASE BROKERS RUN THREADS; properties compare.state (a folder), compare.settings. */
public final class KafkaStreamsApp {
  public static void main(String[] args) throws Exception {
    String name = args[2];
    Properties config = new Properties();
    config.put(StreamsConfig.APPLICATION_ID_CONFIG, name);
    config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[1]);
    config.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, args[3]);
    config.put(StreamsConfig.STATE_DIR_CONFIG, System.getProperty("compare.state"));
    config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.AT_LEAST_ONCE);
    config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
    config.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
    config.put("auto.offset.reset", "earliest");
    for (String setting : System.getProperty("compare.settings", "").split(",")) {
      if (!setting.isEmpty()) config.put(setting.split("=")[0], setting.split("=")[1]);
    }
    StreamsBuilder builder = new StreamsBuilder();
    if (args[0].equals("wordcount")) wordcount(builder, name);
    else if (args[0].equals("join")) join(builder, name);
    else throw new IllegalArgumentException(args[0]);

    CountDownLatch ended = new CountDownLatch(1);
    KafkaStreams streams = new KafkaStreams(builder.build(config), config);
    streams.setUncaughtExceptionHandler(e -> {
      e.printStackTrace();
      ended.countDown();
      return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
    });
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      streams.close();
      ended.countDown();
    }));
    streams.start();
    ended.await();
  }

  private static void wordcount(StreamsBuilder builder, String name) {
    builder.stream(name + "-lines", Consumed.with(Serdes.String(), Serdes.String()))
        .flatMapValues(line -> Arrays.asList(line.split(" ")))
        .groupBy((key, word) -> word, Grouped.with(Serdes.String(), Serdes.String()))
        .count(Materialized.<String, Long>as(Stores.inMemoryKeyValueStore("counts"))
            .withKeySerde(Serdes.String()).withValueSerde(Serdes.Long()))
        .toStream()
        .to(name + "-output", Produced.with(Serdes.String(), Serdes.Long()));
  }

  private static void join(StreamsBuilder builder, String name) {
    var customers = builder.table(name + "-customers", Consumed.with(Serdes.String(), Serdes.String()),
        Materialized.<String, String>as(Stores.inMemoryKeyValueStore("customers"))
            .withKeySerde(Serdes.String()).withValueSerde(Serdes.String()));
    builder.stream(name + "-orders", Consumed.with(Serdes.String(), Serdes.String()))
        .join(customers, (order, customer) -> order + "|" + customer, Joined.with(Serdes.String(), Serdes.String(), Serdes.String()))
        .to(name + "-output", Produced.with(Serdes.String(), Serdes.String()));
  }
}
