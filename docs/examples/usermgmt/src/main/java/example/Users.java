package example;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;

/** The users of a shop, by HTTP. */
public final class Users {
  private Users() {}

  public static void main(String[] args) throws IOException {
    HttpServer server = HttpServer.create(new InetSocketAddress(8080), 0);
    byte[] users = "[{\"name\": \"ann\"}]".getBytes(StandardCharsets.UTF_8);
    server.createContext(
        "/users",
        exchange -> {
          exchange.sendResponseHeaders(200, users.length);
          exchange.getResponseBody().write(users);
          exchange.close();
        });
    server.start();
  }
}
