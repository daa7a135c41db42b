# One image for every process: `docker run elsehu web`, `worker`, `scheduler`, `migrate`.
FROM python:3.13-slim-trixie AS build
WORKDIR /src
COPY constraints.txt pyproject.toml README.md ./
COPY elsehu elsehu
COPY plugins plugins
RUN python -m venv /opt/elsehu \
 && /opt/elsehu/bin/pip install --no-cache-dir --constraint constraints.txt --build-constraint constraints.txt \
    . ./plugins/*

FROM python:3.13-slim-trixie
# pg_dump and pg_restore for `elsehu backup`, of the release of PostgreSQL in docker-compose.yml. More, such as ffmpeg
# for voice notes: `--build-arg PACKAGES=ffmpeg`.
ARG PACKAGES=""
RUN apt-get update \
 && apt-get install --yes --no-install-recommends postgresql-client-17 ${PACKAGES} \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --create-home --home-dir /var/lib/elsehu elsehu
COPY --from=build /opt/elsehu /opt/elsehu
ENV PATH=/opt/elsehu/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ELSEHU_DATA_DIR=/var/lib/elsehu/data \
    ELSEHU_SERVER__HOST=0.0.0.0 \
    ELSEHU_LOGGING__FORMAT=json
USER elsehu
WORKDIR /var/lib/elsehu
RUN mkdir -m 0700 data
VOLUME /var/lib/elsehu/data
EXPOSE 8000
ENTRYPOINT ["elsehu"]
CMD ["web"]
