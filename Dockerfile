# docker run --rm -p 127.0.0.1:3000:3000 -p 127.0.0.1:8501:8501 fitness-assets
# goes from raw data to the dashboard. State is in /state; mount a volume there to keep it.

FROM debian:bookworm-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
RUN python3 -m venv /uv && /uv/bin/pip install --no-cache-dir --disable-pip-version-check uv==0.13.9
COPY pyproject.toml uv.lock README.md LICENSE ./
# The system's certificates, so that a network with an authority of its own can build this.
ENV UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=1
RUN /uv/bin/uv sync --locked --all-extras --no-install-project --compile-bytecode
COPY fitness_assets fitness_assets
COPY dashboard dashboard
RUN /uv/bin/uv sync --locked --all-extras --compile-bytecode

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 procps tini \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 1000 fitness \
 && install -d -o fitness -g fitness /state
COPY --from=build /app /app
COPY . /app
WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 FITNESS_HOME=/state FITNESS_HOST=0.0.0.0
USER fitness
VOLUME /state
EXPOSE 3000 8501
HEALTHCHECK --start-period=300s --interval=30s CMD \
  ["python3", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=5)"]
ENTRYPOINT ["tini", "-g", "--", "scripts/container"]
CMD ["serve"]
